"""Completion scripts, made from the verbs' descriptions. Profile names are asked of `slopn profiles --names`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slopn_app.cli.verb import JSON, Argument, Verb

_NAMES = "slopn profiles --names 2>/dev/null"


def bash(verbs: Mapping[str, Verb], settings: tuple[str, ...]) -> str:
    """The script for bash: `source <(slopn completion bash)`."""
    return "\n".join(
        [
            "# bash completion of slopn",
            "# Not compgen -W: it expands its words, and the name of a profile may hold anything printable.",
            "_slopn_offer() {",
            "    local word",
            '    for word in "$@"; do',
            '        [[ $word != "$current"* ]] || COMPREPLY+=("$(printf %q "$word")")',
            "    done",
            "}",
            "_slopn_profiles() {",
            "    local -a names",
            f"    mapfile -t names < <({_NAMES})",
            '    _slopn_offer "${names[@]}"',
            "}",
            "_slopn() {",
            "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} place=1 word",
            "    COMPREPLY=()",
            '    for word in "${COMP_WORDS[@]:2:COMP_CWORD-2}"; do [[ $word == -* ]] || ((place++)); done',
            "    case $COMP_CWORD:${COMP_WORDS[1]}:$previous:$place in",
            f"        1:*) _slopn_offer {' '.join(verbs)} --help --version ;;",
            *(line for name, verb in verbs.items() for line in _bash_verb(name, verb, settings)),
            "    esac",
            "}",
            "complete -F _slopn slopn",
            "",
        ]
    )


def zsh(verbs: Mapping[str, Verb], settings: tuple[str, ...]) -> str:
    """The script for zsh: as `_slopn` in a folder of $fpath."""
    return "\n".join(
        [
            "#compdef slopn",
            "_slopn_profiles() {",
            "    local -a names",
            f'    names=(${{(f)"$({_NAMES})"}})',
            "    compadd -a names",
            "}",
            "_slopn() {",
            "    local -a verbs",
            "    if (( CURRENT == 2 )); then",
            "        verbs=(",
            *(f"            {_quoted(f'{name}:{verb.summary}')}" for name, verb in verbs.items()),
            "        )",
            "        _describe verb verbs",
            "        return",
            "    fi",
            "    local verb=$words[2]",
            "    shift words",
            "    (( CURRENT-- ))",
            "    case $verb in",
            *(line for name, verb in verbs.items() for line in _zsh_verb(name, verb, settings)),
            "    esac",
            "}",
            'if [[ $funcstack[1] == _slopn ]]; then _slopn "$@"; else compdef _slopn slopn; fi',
            "",
        ]
    )


def fish(verbs: Mapping[str, Verb], settings: tuple[str, ...]) -> str:
    """The script for fish: `slopn completion fish | source`."""
    lines = ["# fish completion of slopn", "complete -c slopn -f"]
    for name, verb in verbs.items():
        lines.append(f"complete -c slopn -n __fish_use_subcommand -a {name} -d {_fish(verb.summary)}")
        seen = f"complete -c slopn -n '__fish_seen_subcommand_from {name}'"
        for argument in _options(verb):
            names = " ".join(f"-l {text[2:]}" if text.startswith("--") else f"-s {text[1:]}" for text in argument.names)
            values = f" -x{_fish_values(argument, settings)}" if _has_value(argument) else ""
            if argument.complete == "file":
                values = " -r -F"
            lines.append(f"{seen} {names}{values} -d {_fish(_help(argument))}")
        lines += [f"{seen}{_fish_values(argument, settings)}" for argument in _positionals(verb) if argument.complete]
    return "\n".join([*lines, ""])


def _bash_verb(name: str, verb: Verb, settings: tuple[str, ...]) -> Iterator[str]:
    for argument in _options(verb):
        if _has_value(argument):
            for text in argument.names:
                yield f"        *:{name}:{text}:*) {_bash_values(argument, settings)} ;;"
    options = " ".join(text for argument in _options(verb) for text in argument.names)
    yield f"        *:{name}:*) _slopn_offer {options} --help ;;&"
    for place, argument in enumerate(_positionals(verb), 1):
        many = argument.options.get("nargs") == "+"
        yield f"        *:{name}:*:{'*' if many else place}) {_bash_values(argument, settings)} ;;"


def _bash_values(argument: Argument, settings: tuple[str, ...]) -> str:
    match argument.complete:
        case "profile":
            return "_slopn_profiles"
        case "file":
            return "[[ $current == -* ]] || compopt -o default"
        case "":
            return ":"
        case _:
            return f"_slopn_offer {_words(argument, settings)}"


def _zsh_verb(name: str, verb: Verb, settings: tuple[str, ...]) -> Iterator[str]:
    specs = []
    for argument in _options(verb):
        value = ""
        if _has_value(argument):
            optional = ":" if argument.options.get("nargs") == "?" else ""
            value = f"{optional}:{argument.options['metavar']}:{_zsh_action(argument, settings)}"
        specs += [f"{text}[{_zsh(_help(argument))}]{value}" for text in argument.names]
    for place, argument in enumerate(_positionals(verb), 1):
        which = "*" if argument.options.get("nargs") == "+" else str(place)
        specs.append(f"{which}:{_zsh(argument.names[0])}:{_zsh_action(argument, settings)}")
    yield f"        {name})"
    yield "            _arguments \\"
    yield from (f"                {_quoted(spec)} \\" for spec in specs[:-1])
    yield f"                {_quoted(specs[-1])}"
    yield "            ;;"


def _zsh_action(argument: Argument, settings: tuple[str, ...]) -> str:
    match argument.complete:
        case "profile":
            return "_slopn_profiles"
        case "file":
            return "_files"
        case "":
            return " "
        case _:
            return f"({_words(argument, settings)})"


def _fish_values(argument: Argument, settings: tuple[str, ...]) -> str:
    match argument.complete:
        case "profile":
            return f" -a '({_NAMES})'"
        case "file":
            return " -F"
        case "":
            return ""
        case _:
            return f" -a '{_words(argument, settings)}'"


def _words(argument: Argument, settings: tuple[str, ...]) -> str:
    return " ".join(settings) if argument.complete == "setting" else argument.complete


def _options(verb: Verb) -> list[Argument]:
    return [argument for argument in (*verb.arguments, JSON) if argument.names[0].startswith("-")]


def _positionals(verb: Verb) -> list[Argument]:
    return [argument for argument in verb.arguments if not argument.names[0].startswith("-")]


def _has_value(argument: Argument) -> bool:
    return argument.options.get("action") != "store_true"


def _help(argument: Argument) -> str:
    return argument.help.split(":")[0] if "%(" in argument.help else argument.help


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh(text: str) -> str:
    return "".join(f"\\{char}" if char in "[]:\\" else char for char in text)


def _fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
