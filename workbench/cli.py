"""The command line: parse, call, print. Exit codes are those of `workbench.errors`.

Nothing heavy is imported before a command needs it: ``workbench --help`` answers in a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from workbench import signals
from workbench.errors import ConfigError, Terminated, WorkbenchError

if TYPE_CHECKING:
    from rich.console import Console

    from workbench.experiment import Experiment

EXIT_CODES = """Exit codes: 0 done · 1 an error of ours · 2 a mistake in configuration, data, factory or arguments ·
3 nothing could be delivered · 4 store or tracking server · 5 another run is at work · 130 Ctrl-C · 143 SIGTERM
(run again to go on)."""


class Commands(TyperGroup):
    """Turns what commands raise into a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            with signals.listening(terminate=True):
                return super().invoke(ctx)
        except WorkbenchError as error:
            _fail(str(error), error.exit_code)
        except Terminated:
            _fail("terminated; run the same command again to go on", 143)
        except KeyboardInterrupt:
            _fail("stopped; run the same command again to go on", 130)


app = typer.Typer(
    cls=Commands,
    help="Search Keras models and boosted trees, blend the best, and deliver a checked submission.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of an experiment.yaml, or such a file.")]
Store = Annotated[Path | None, typer.Option(help="Store instead of the configured one.")]
Seed = Annotated[int | None, typer.Option(min=0, max=2**31 - 1, help="Seed instead of the configured one.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY.PATH=VALUE", help="Override a key of experiment.yaml.")
]


class Busy(Enum):
    """What a run does while another one is at work on the same experiment."""

    leave = "leave"
    wait = "wait"
    join = "join"


@app.command()
def run(
    folder: Folder,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials of each family in all.")] = None,
    more: Annotated[int, typer.Option(min=0, help="Trials of each family beyond those that there are.")] = 0,
    time: Annotated[str | None, typer.Option(metavar="5m", help="Time for this run, delivery included.")] = None,
    busy: Annotated[
        Busy, typer.Option(help="While another run is at work here: leave with code 5, wait for it, or join it.")
    ] = Busy.leave,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; as many as fit if absent.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop if code or data have changed since the last trials.")
    ] = False,
    store: Store = None,
    seed: Seed = None,
    settings: Settings = None,
) -> None:
    """Search, blend and deliver; run again, it goes on where it stopped."""
    from workbench.durations import parse_duration
    from workbench.sweep import run as run_sweep

    seconds = None if time is None else parse_duration(time)
    given = [*(settings or ()), *([] if workers is None else [f"training.workers={workers}"])]
    experiment = _experiment(folder, store, seed, given)

    def work(observer: Any) -> Any:
        return run_sweep(experiment, trials=trials, more=more, seconds=seconds, strict=strict, observer=observer)

    with _alone(experiment, busy.value):
        _show(folder, work, store)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the new experiment; made if it is absent.")],
    train: Annotated[Path, typer.Option(help="Training table.")],
    test: Annotated[Path | None, typer.Option(help="Table to predict.")] = None,
    sample_submission: Annotated[Path | None, typer.Option(help="A submission whose shape is wanted.")] = None,
    target: Annotated[str | None, typer.Option(help="Column to predict; inferred if the tables tell.")] = None,
    id: Annotated[str | None, typer.Option(help="Column that identifies a row.")] = None,
    metric: Annotated[str | None, typer.Option(help="Metric; the usual one of the task if absent.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of the tables, such as cp1252; else UTF-8.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the files that are there; they are kept as NAME.bak.")
    ] = False,
) -> None:
    """Look at the tables and write experiment.yaml, features.py and factories.py to start from."""
    from workbench.scaffold import Tables, create, show

    tables = Tables(train, test, sample_submission, target=target, id=id, metric=metric, encoding=encoding)
    show(_console(), create(folder, tables, force=force))


@app.command("try")
def try_(
    folder: Folder,
    family: Annotated[str, typer.Argument(metavar="FAMILY", help="A family's name, or 'factories:my_model'.")],
    features: Annotated[
        str | None, typer.Option(metavar="NAME", help="Feature set of features.py; 'none' for the table as it is.")
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A hyperparameter's value; may be repeated.")
    ] = None,
    note: Annotated[str, typer.Option("--note", "-m", help="What the idea is; it goes to the ledger and MLflow.")] = "",
    against: Annotated[
        str | None, typer.Option(metavar="TRIAL", help="Trial to compare with, such as lightgbm#0003.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Further trainings of the baseline with other seeds, to see the seed noise.")
    ] = 3,
    store: Store = None,
    seed: Seed = None,
    settings: Settings = None,
) -> None:
    """Evaluate one configuration and say whether it is better than a baseline, or noise."""
    from workbench.console import show_comparison
    from workbench.evaluation import evaluate, parse_values

    experiment, console = _experiment(folder, store, seed, settings), _console()

    def work(observer: Any) -> Any:
        return evaluate(
            experiment,
            family,
            features=features,
            values=parse_values(values or ()),
            note=note,
            against=against,
            seeds=seeds,
            observer=observer,
        )

    comparison = _watched(console, work)
    show_comparison(console, comparison)


@app.command("rescore")
def rescore_best(
    folder: Folder,
    top: Annotated[int, typer.Option(min=1, help="So many configurations, the best over all families.")] = 5,
    control: Annotated[
        bool, typer.Option("--control", help="As many random others too: the two plans differ for them as well.")
    ] = False,
    store: Store = None,
    seed: Seed = None,
    settings: Settings = None,
) -> None:
    """Score the best configurations on a second fold plan that no search has seen, and print the optimism."""
    from workbench.evaluation import rescore

    experiment, console = _experiment(folder, store, seed, settings), _console()
    found = _watched(console, lambda observer: rescore(experiment, top=top, control=control, observer=observer))
    console.print(found.render())


@app.command("show")
def show_family(
    family: Annotated[str, typer.Argument(metavar="FAMILY", help="A family's name, or 'factories:my_model'.")],
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Experiment whose table it sees; else a small one.")
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A hyperparameter's value; may be repeated.")
    ] = None,
    settings: Settings = None,
) -> None:
    """Draw the model of a family's defaults: layers, dimensions, weights."""
    from workbench.evaluation import parse_values
    from workbench.picture import draw

    experiment = None if folder is None else _experiment(folder, None, None, settings)
    _console().print(draw(family, experiment, parse_values(values or ())), markup=False, highlight=False)


@app.command()
def leaderboard(
    folder: Folder,
    top: Annotated[int, typer.Option(min=1, help="Trials of each family to show.")] = 5,
    store: Store = None,
    seed: Seed = None,
    settings: Settings = None,
) -> None:
    """Show the best trials of what is stored, and the last blend."""
    from workbench.console import show_tallies
    from workbench.delivery.leaderboard import render
    from workbench.sweep import stored_leaderboard

    experiment, console = _experiment(folder, store, seed, settings), _console()
    metric = experiment.metric_ref()
    rows, counted = stored_leaderboard(experiment, top)
    console.print(render(rows, title=experiment.name, metric=metric.name, direction=metric.direction))
    show_tallies(console, counted)


@app.command()
def ensemble(
    folder: Folder,
    method: Annotated[
        str | None, typer.Option(help="Ensemble method instead of the configured one; auto compares all.")
    ] = None,
    members: Annotated[
        str | None, typer.Option(help="Which trials: best of each family, all, forward or uncorrelated.")
    ] = None,
    per_family: Annotated[int | None, typer.Option(min=1, help="Trials of each family.")] = None,
    store: Store = None,
    seed: Seed = None,
    settings: Settings = None,
) -> None:
    """Fit the blend of the stored trials anew, in seconds, and show it; nothing is delivered."""
    from workbench.blend_view import show_blend
    from workbench.sweep import ensemble as fit

    given = {"method": method, "members": members, "per_family": per_family}
    chosen = [f"ensemble.{key}={value}" for key, value in given.items() if value is not None]
    experiment = _experiment(folder, store, seed, [*(settings or ()), *chosen])
    metric, console = experiment.metric_ref(), _console()
    fit(experiment, lambda blend: show_blend(console, blend, metric=metric.name, direction=metric.direction))


@app.command()
def finalists(
    folder: Folder,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for them; the store's if absent.")] = None,
    store: Store = None,
    seed: Seed = None,
    settings: Settings = None,
) -> None:
    """Propose two submissions: the best blend, and one as different as can be among those nearly as good."""
    from workbench.blend_view import show_finalists
    from workbench.finalists import propose_finalists

    experiment = _experiment(folder, store, seed, settings)
    found = propose_finalists(experiment, out)
    show_finalists(
        _console(), found.finalists, found.table, found.files, metric=experiment.metric_ref(), left_out=found.left_out
    )


@app.command()
def submit(folder: Folder, store: Store = None, seed: Seed = None, settings: Settings = None) -> None:
    """Blend, export and submit from the stored trials; nothing is searched."""
    from workbench.sweep import submit as deliver

    experiment = _experiment(folder, store, seed, settings)
    _show(folder, lambda observer: deliver(experiment, observer), store)


@app.command("pack")
def pack_trials(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="NAME.wbz", help="File to write.")],
    top: Annotated[int, typer.Option(min=1, max=10_000, help="So many trials, the best over all families.")] = 20,
    author: Annotated[str | None, typer.Option(help="Who packs; git's user.name if absent, else the login.")] = None,
    bundles: Annotated[
        bool, typer.Option(help="With the models, or predictions alone: small, but nothing to export.")
    ] = True,
    store: Store = None,
    seed: Seed = None,
    settings: Settings = None,
) -> None:
    """Write the best trials, complete, into a file that a team member can merge."""
    from workbench.exchange.packing import pack
    from workbench.exchange.report import show_packed

    experiment = _experiment(folder, store, seed, settings)
    show_packed(_console(), pack(experiment, out, top=top, author=author, bundles=bundles))


@app.command()
def folds(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV file to write.")] = Path("folds.csv"),
    store: Store = None,
    seed: Seed = None,
    settings: Settings = None,
) -> None:
    """Write which fold validates each row, for models that are trained elsewhere and merged with merge --oof."""
    from workbench.exchange.folds_table import write_folds

    table = write_folds(_experiment(folder, store, seed, settings), out)
    _console().print(f"wrote {out}: {len(table)} rows, columns {', '.join(table.columns)}")


@app.command("merge")
def merge_trials(
    folder: Folder,
    file: Annotated[Path | None, typer.Argument(metavar="NAME.wbz", help="What a team member has packed.")] = None,
    oof: Annotated[
        Path | None, typer.Option(metavar="OOF.csv", help="Or out-of-fold predictions of other programs, by row id.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(metavar="TEST.csv", help="With --oof: their predictions of the test table.")
    ] = None,
    author: Annotated[str | None, typer.Option(help="With --oof: who made them.")] = None,
    name: Annotated[str | None, typer.Option(help="With --oof: of what they are; 'model' if absent.")] = None,
    store: Store = None,
    seed: Seed = None,
    settings: Settings = None,
) -> None:
    """Take a team member's trials into the leaderboard and the blends; nothing of them is executed."""
    from workbench.exchange.merging import merge
    from workbench.exchange.report import show_adopted, show_merged

    if (file is None) == (oof is None):
        raise ConfigError(
            f"expected a pack, or --oof OOF.csv, {'got neither' if oof is None else 'got both'}: "
            "workbench merge DIR NAME.wbz, or workbench merge DIR --oof OOF.csv --test TEST.csv --author WHO"
        )
    experiment = _experiment(folder, store, seed, settings)
    if oof is not None:
        from workbench.exchange.foreign import merge_predictions

        if author is None:
            raise ConfigError("--oof needs --author: whose predictions they are, such as --author bob")
        show_adopted(_console(), merge_predictions(experiment, oof, test, author=author, name=name or "model"))
    elif file is not None:
        if given := [f"--{key}" for key, value in (("test", test), ("author", author), ("name", name)) if value]:
            raise ConfigError(f"{', '.join(given)} belongs to --oof; a pack says itself what it holds")
        merged = merge(experiment, file)
        show_merged(_console(), merged)
        if merged.refused == len(merged.fates):
            raise typer.Exit(2)


@app.command()
def predict(
    model: Annotated[str, typer.Argument(help="A model's folder, or models:/NAME@champion, or runs:/ID/model.")],
    rows: Annotated[Path, typer.Argument(help="Table of raw rows: .csv, .csv.gz, .tsv or .parquet.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV file to write.")],
    store: Annotated[
        Path | None, typer.Option(help="Store whose MLflow knows the model (for models:/ and runs:/).")
    ] = None,
) -> None:
    """Predict raw rows with a delivered model."""
    from workbench.delivery.process import predict_in_process
    from workbench.tracking.uri import default_uri

    if store is not None and not store.is_dir():
        raise ConfigError(f"there is no store at '{store}'; it is the folder .workbench of an experiment")
    uri = None if store is None else default_uri(store)
    written = predict_in_process(model, rows, out, tracking_uri=uri)
    _console().print(f"wrote {written}")


@app.command()
def doctor(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="An experiment, to check its store too.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended safely in the experiment's store, and say what.")
    ] = False,
    store: Store = None,
) -> None:
    """Say what is installed and reachable, and what to do about what is wrong."""
    from workbench.doctor.examination import examine, show

    experiment = None if folder is None else _experiment(folder, store, None, None)
    if repair:
        from workbench.doctor.repair import mend_experiment

        if not mend_experiment(experiment, _console().print):
            raise typer.Exit(4)
        return
    if not show(_console(), examine(experiment)):
        raise typer.Exit(4)


@app.command()
def ui(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An experiment's folder.")] = Path(),
    store: Store = None,
    port: Annotated[int, typer.Option(help="MLflow's port; TensorBoard takes 6006.")] = 5000,
    tensorboard_port: Annotated[int, typer.Option(help="TensorBoard's port.")] = 6006,
) -> None:
    """Serve MLflow and TensorBoard on 127.0.0.1 until Ctrl-C."""
    from workbench.ui.serving import serve

    serve(_console(), _experiment(folder, store, None, None), port=port, tensorboard_port=tensorboard_port)


@app.command()
def schema(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("experiment.schema.json"),
) -> None:
    """Write the JSON schema of experiment.yaml, for editors."""
    from workbench.config import write_json_schema

    write_json_schema(file)
    _console().print(f"wrote {file}")


def _experiment(folder: Path, store: Path | None, seed: int | None, settings: list[str] | None) -> Experiment:
    from workbench.experiment import Experiment

    experiment = Experiment.from_folder(folder, settings or ())
    return experiment.with_options(store=None if store is None else store.resolve(), seed=seed)


@contextmanager
def _alone(experiment: Experiment, busy: str) -> Iterator[None]:
    """Hold the experiment's turn while a run lasts."""
    from workbench.turn import take_turn

    with take_turn(experiment.store, experiment.name, busy, say=lambda text: _console().print(text)):
        yield


def _console() -> Console:
    from rich.console import Console

    return Console()


def _show(folder: Path, work: Any, store: Path | None) -> None:
    """Run a sweep under the eyes of the terminal, and print what it came to."""
    from workbench.console import show_result

    console = _console()
    show_result(console, _watched(console, work), folder, store)


def _watched(console: Console, work: Any) -> Any:
    """Return what ``work(observer)`` returns."""
    from workbench.console import TerminalObserver

    with TerminalObserver(console) as observer:
        return work(observer)


def _fail(message: str, code: int) -> NoReturn:
    with suppress(BrokenPipeError):
        typer.secho(f"error: {message}", fg=typer.colors.RED, err=True)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
