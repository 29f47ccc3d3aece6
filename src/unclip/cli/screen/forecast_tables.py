"""What a run will take, as tables."""

from rich.table import Table

from unclip.cli.screen.console import Screen
from unclip.core.config.duration import words
from unclip.core.disk.atomic import in_words
from unclip.studies.doctor.forecast import StageForecast
from unclip.studies.doctor.study import Forecast

HEADS = ("stage", "parameters", "time", "s a step", "images/s", "steps", "passes an image", "expect")


def show_forecast(forecast: Forecast, console: Screen) -> None:
    """Prints the stages, then the whole."""
    console.print(stages_table(forecast))
    console.print(whole_table(forecast))


def stages_table(forecast: Forecast) -> Table:
    """A row a stage."""
    sheet = Table(box=None, pad_edge=False, header_style="dim")
    for head in HEADS:
        sheet.add_column(head, justify="left" if head in ("stage", "expect") else "right", no_wrap=True)
    seen = {stage.stage: stage for stage in forecast.stages}
    for name, count in forecast.parameters.items():
        sheet.add_row(name, f"{count:,}" if count else "", *(_figures(seen[name]) if name in seen else UNKNOWN))
    return sheet


UNKNOWN = ("", "", "", "", "", "not measured: the stage before it takes too long")


def _figures(stage: StageForecast) -> tuple[str, ...]:
    figures = (words(stage.seconds), f"{stage.step:.3g}", f"{stage.speed:,.0f}", f"{stage.steps:,}")
    return (*figures, f"{stage.passes:,.3g}", stage.expect)


def whole_table(forecast: Forecast) -> Table:
    """The run as a whole: time, memory, disk."""
    sheet = Table(box=None, pad_edge=False, show_header=False)
    times = {"preparation": forecast.preparation, "training": forecast.training, "samples and gates": forecast.judging}
    rows = [(name, words(seconds)) for name, seconds in (*times.items(), ("in all", forecast.total))]
    rows += [] if forecast.memory is None else [("memory at the peak", in_words(forecast.memory))]
    disk = ", ".join(f"{name} {in_words(count)}" for name, count in forecast.disk.items() if count)
    rows += [("disk", f"{in_words(sum(forecast.disk.values()))} ({disk}); free: {in_words(forecast.free)}")]
    for row in rows:
        sheet.add_row(*row)
    return sheet
