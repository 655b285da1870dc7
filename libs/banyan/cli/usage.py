"""What the command line says of its own use, in 中文: the titles of its help, and what is wrong with a call of it."""

from __future__ import annotations

from typing import Any

import typer
from typer import rich_utils
from typer.exceptions import TyperException

from banyan.kernel.refusal import Refused

TITLES = {
    "OPTIONS_PANEL_TITLE": "选项",
    "ARGUMENTS_PANEL_TITLE": "参数",
    "COMMANDS_PANEL_TITLE": "命令",
    "DEFAULT_STRING": "[缺省：{}]",
    "ENVVAR_STRING": "[环境变量：{}]",
    "REQUIRED_LONG_STRING": "[必填]",
}


def run(app: typer.Typer) -> int:
    """Runs the command that was called; answers its exit code. Refuses `bad_command` for a call that is none."""
    for name, title in TITLES.items():
        setattr(rich_utils, name, title)
    try:
        code = app(standalone_mode=False)
    except typer.Abort:
        typer.echo("已中止。", err=True)
        return 1
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help that was asked for by saying nothing
            typer.echo(error.format_message(), err=True)
            return 2
        raise Refused("bad_command", **_wrong(error)) from None
    return code if isinstance(code, int) else 0


def _wrong(error: Any) -> dict[str, str]:
    """Which option or argument is missing, unknown or has a value that is none, and where its help is."""
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    named = parameter.get_error_hint() if parameter is not None else ""
    match type(error).__name__:
        case "MissingParameter":
            told = {"missing": named}
        case "NoSuchOption":
            told = {"unknown": error.option_name} | ({"near": error.possibilities} if error.possibilities else {})
        case "BadParameter":
            told = {"value_of": named, "detail": error.message}
        case _:
            told = {"detail": error.format_message()}
    return told | ({"help": f"{context.command_path} --help"} if context is not None else {})
