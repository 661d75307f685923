import pytest

from workbench.execution.contract import ExecutorOptions
from workbench.execution.devices import Device, describe, plan
from workbench.execution.environment import environment
from workbench.execution.machine import Gpu, Machine, _rows, cgroups, kernel_kills, look, usable_gpus, visible

GB = 10**9
TWO_GPUS = (Gpu("GPU-a", 80_000), Gpu("GPU-b", 80_000))
TABLE = [(0, "GPU-aa1", 85_000), (1, "GPU-bb2", 85_000), (2, "GPU-cc3", 24_000)]


@pytest.fixture
def options(tmp_path):
    return lambda **given: ExecutorOptions(logs=tmp_path, **given)


@pytest.mark.parametrize(
    ("cores", "available", "given", "workers", "threads"),
    [
        (4, 32 * GB, {}, 4, 1),
        (16, 5 * GB, {}, 4, 4),  # as many as there is memory for
        (2, 1 * GB, {}, 1, 2),
        (8, 32 * GB, {"workers": 3}, 3, 2),
        (2, 1 * GB, {"workers": 5}, 5, 1),  # a number that was given is kept to
        (8, 32 * GB, {"worker_memory": 10_000}, 3, 2),
    ],
)
def test_workers_share_cores_and_memory(options, cores, available, given, workers, threads):
    devices = plan(Machine(cores, 40 * GB, available), options(**given))
    assert [device.threads for device in devices] == [threads] * workers
    assert {device.memory_mb for device in devices} == {given.get("worker_memory", 36_000 / workers)}
    assert [device.slot for device in devices] == list(range(workers))


@pytest.mark.parametrize(
    ("given", "gpus", "fractions"),
    [
        ({}, ["GPU-a", "GPU-b"], [0.9, 0.9]),
        ({"workers_per_gpu": 2}, ["GPU-a", "GPU-b"] * 2, [0.45] * 4),
        ({"workers": 3}, ["GPU-a", "GPU-b", "GPU-a"], [0.45, 0.9, 0.45]),
    ],
)
def test_workers_are_dealt_out_to_gpus(options, given, gpus, fractions):
    devices = plan(Machine(16, 128 * GB, 120 * GB, TWO_GPUS), options(**given))
    assert [device.gpu for device in devices] == gpus
    assert [device.fraction for device in devices] == fractions


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        (None, ["GPU-aa1", "GPU-bb2", "GPU-cc3"]),
        ("2,0", ["2", "0"]),
        ("GPU-bb", ["GPU-bb"]),
        ("1,-1,0", ["1"]),  # CUDA ends at the first that is none
        ("7", []),
        ("MIG-3f", ["MIG-3f"]),
    ],
)
def test_only_visible_gpus_count(setting, names):
    assert [gpu.name for gpu in visible(TABLE, setting)] == names


def test_a_hidden_gpu_is_not_even_looked_for(monkeypatch):
    monkeypatch.setattr("workbench.execution.machine.installed_gpus", lambda: pytest.fail("looked"))
    assert usable_gpus("tensorflow", {"CUDA_VISIBLE_DEVICES": ""}) == ()
    assert usable_gpus("jax", {"JAX_PLATFORMS": "cpu"}) == ()


def test_what_nvidia_smi_says_is_understood():
    said = "0, GPU-aa1, 81559\n1, GPU-bb2, [N/A]\n"
    assert list(_rows(said)) == [(0, "GPU-aa1", 85_520), (1, "GPU-bb2", 0)]


def test_the_cgroups_around_a_process_are_found(tmp_path):
    membership = tmp_path / "cgroup"
    membership.write_text("1:cpu:/x\n0::/user/session\n")
    root = tmp_path / "fs"
    assert list(cgroups(root, membership)) == [root / "user" / "session", root / "user", root]
    assert list(cgroups(root, tmp_path / "absent")) == []


def test_the_kernels_kills_are_counted(tmp_path):
    (tmp_path / "events").write_text("low 0\noom 4\noom_kill 3\noom_group_kill 0\n")
    assert kernel_kills(tmp_path / "absent", tmp_path / "events") == 3
    assert kernel_kills(tmp_path / "absent") == 0


def test_this_machine_is_described(options):
    machine = look("jax")
    assert machine.cores >= 1
    assert 0 < machine.available <= machine.memory
    assert "worker" in describe(plan(machine, options()))


def test_people_read_who_works_where():
    assert describe([Device(slot, 1, 0) for slot in range(4)]) == "4 workers, 1 core each"
    assert describe([Device(0, 4, 0)]) == "1 worker, 4 cores"
    assert describe([Device(0, 4, 0, "a", 0.45, 2), Device(1, 4, 0, "a", 0.45, 2)]) == "2 workers on 1 GPU"


def test_a_worker_is_told_its_share_before_it_imports_anything(options, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    own = environment(options(backend="tensorflow"), Device(0, 1, 1000.0))
    assert own["KERAS_BACKEND"] == "tensorflow"
    assert {own["OMP_NUM_THREADS"], own["TF_NUM_INTRAOP_THREADS"], own["NPROC"]} == {"1"}
    assert own["CUDA_VISIBLE_DEVICES"] == "0,1"  # hidden only where somebody says so
    shared = environment(options(), Device(0, 4, 1000.0, "GPU-a", 0.225, 4))
    assert shared["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.225"
    assert shared["CUDA_VISIBLE_DEVICES"] == "GPU-a"


def test_jax_has_a_device_for_each_core_unless_the_user_says_otherwise(options, monkeypatch):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    several, gpu = Device(0, 4, 1000.0), Device(0, 4, 1000.0, "GPU-a")
    assert environment(options(), several)["JAX_NUM_CPU_DEVICES"] == "4"
    for device, given in ((Device(0, 1, 1000.0), {}), (gpu, {}), (several, {"backend": "tensorflow"})):
        assert "JAX_NUM_CPU_DEVICES" not in environment(options(**given), device)
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    assert "JAX_NUM_CPU_DEVICES" not in environment(options(), several)


def test_determinism_is_asked_for_where_a_backend_needs_to_be_asked(options, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--mine=1")
    gpu, exact = Device(0, 4, 1000.0, "GPU-a"), {"deterministic": True}
    assert environment(options(**exact), gpu)["XLA_FLAGS"] == "--mine=1 --xla_gpu_deterministic_ops=true"
    assert environment(options(), gpu)["XLA_FLAGS"] == "--mine=1"
    assert environment(options(**exact), Device(0, 4, 1000.0))["XLA_FLAGS"] == "--mine=1"
    assert environment(options(**exact, backend="tensorflow"), gpu)["TF_DETERMINISTIC_OPS"] == "1"
