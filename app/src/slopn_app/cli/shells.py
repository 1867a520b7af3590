"""Completion scripts, made from the verbs' descriptions. What only the helper knows is asked of `slopn` itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slopn_app.cli.verb import Argument, Verb

ASKED = {"profile": "profiles --names", "device": "devices --names", "user": "users --names"}
"""What `slopn` is asked for the words of a kind, one a line; behind a tab stands what a person reads."""


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
            "_slopn_ask() {",
            "    local -a words",
            '    mapfile -t words < <(slopn "$@" 2>/dev/null)',
            "    _slopn_offer \"${words[@]%%$'\\t'*}\"",
            "}",
            "_slopn_accounts() {",
            "    local -a words",
            "    mapfile -t words < <(compgen -u)",
            '    _slopn_offer "${words[@]}"',
            "}",
            "_slopn() {",
            "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} place=1 word before",
            "    COMPREPLY=()",
            '    for word in "${COMP_WORDS[@]:2:COMP_CWORD-2}"; do [[ $word == -* ]] || ((place++)); done',
            '    before=" ${COMP_WORDS[*]:2:COMP_CWORD-2} "',
            "    case $COMP_CWORD:${COMP_WORDS[1]}:$previous:$place:$before in",
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
            "_slopn_ask() {",
            "    local -a told offered",
            '    told=(${(f)"$(slopn "$@" 2>/dev/null)"})',
            "    offered=(\"${(@)told%%$'\\t'*}\")",
            "    told=(\"${(@)told//$'\\t'/  }\")",
            "    compadd -l -d told -a offered",
            "}",
            "# Pairs of a word and what is offered once it stands on the line.",
            "_slopn_after() {",
            "    local word offer",
            '    for word offer in "$@"; do',
            "        (( ${words[(I)$word]} )) || continue",
            "        case $offer in",
            "            (_*) ${=offer} ;;",
            "            (*) compadd -- ${=offer} ;;",
            "        esac",
            "        return",
            "    done",
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
    lines = [
        "# fish completion of slopn",
        "# Whether word number PLACE of VERB is being typed, or any, behind a certain word.",
        "function __slopn_at --argument-names verb place word",
        "    set -l tokens (commandline -opc)",
        '    test "$tokens[2]" = "$verb"; or return 1',
        "    set -l words (string match -v -- '-*' $tokens[3..])",
        '    test "$place" = any; or test (count $words) -eq (math $place - 1); or return 1',
        '    test -z "$word"; or contains -- $word $words',
        "end",
        "complete -c slopn -f",
    ]
    for name, verb in verbs.items():
        lines.append(f"complete -c slopn -n __fish_use_subcommand -a {name} -d {_fish(verb.summary)}")
        for argument in _options(verb):
            names = " ".join(f"-l {text[2:]}" if text.startswith("--") else f"-s {text[1:]}" for text in argument.names)
            values = ""
            if argument.metavar:
                values = " -r -F" if argument.complete == "file" else " -x"
                values += "".join(_fish_values(kind, settings) for _, kind in _offers(argument) if kind != "file")
            lines.append(f"complete -c slopn -n '__slopn_at {name} any' {names}{values} -d {_fish(argument.said)}")
        for place, argument in enumerate(_positionals(verb), 1):
            places = "any" if _many(argument) and place == 1 else str(place)
            for word, kind in _offers(argument):
                when = f"__slopn_at {name} {'any' if _many(argument) else places} {word}".rstrip()
                lines.append(f"complete -c slopn -n '{when}'{_fish_values(kind, settings)}")
    return "\n".join([*lines, ""])


def _bash_verb(name: str, verb: Verb, settings: tuple[str, ...]) -> Iterator[str]:
    for argument in _options(verb):
        if argument.metavar:
            for text in argument.names:
                offers = [_bash_values(kind, settings) for _, kind in _offers(argument)] or [":"]
                yield f"        *:{name}:{text}:*) {'; '.join(offers)} ;;"
    options = " ".join(text for argument in _options(verb) for text in argument.names)
    yield f"        *:{name}:*) _slopn_offer {options} --help ;;&"
    for place, argument in enumerate(_positionals(verb), 1):
        for word, kind in _offers(argument):
            places = "*" if _many(argument) else str(place)
            after = f"*' {word} '*" if word else "*"
            yield f"        *:{name}:*:{places}:{after}) {_bash_values(kind, settings)} ;;"


def _bash_values(kind: str, settings: tuple[str, ...]) -> str:
    if kind in ASKED:
        return f"_slopn_ask {ASKED[kind]}"
    match kind:
        case "account":
            return "_slopn_accounts"
        case "file":
            return "[[ $current == -* ]] || compopt -o default"
        case _:
            return f"_slopn_offer {_words(kind, settings)}"


def _zsh_verb(name: str, verb: Verb, settings: tuple[str, ...]) -> Iterator[str]:
    specs = []
    for argument in _options(verb):
        value = ""
        if argument.metavar:
            optional = ":" if argument.options.get("nargs") == "?" else ""
            value = f"{optional}:{argument.metavar}:{_zsh_action(argument, settings)}"
        specs += [f"{text}[{_zsh(argument.said)}]{value}" for text in argument.names]
    for place, argument in enumerate(_positionals(verb), 1):
        which = "*" if _many(argument) else str(place)
        specs.append(f"{which}:{_zsh(argument.metavar)}:{_zsh_action(argument, settings)}")
    yield f"        {name})"
    yield "            _arguments \\"
    yield from (f"                {_quoted(spec)} \\" for spec in specs[:-1])
    yield f"                {_quoted(specs[-1])}"
    yield "            ;;"


def _zsh_action(argument: Argument, settings: tuple[str, ...]) -> str:
    offers = [(word, _zsh_values(kind, settings)) for word, kind in _offers(argument)]
    if not offers:
        return " "
    if not offers[0][0]:
        offer = offers[0][1]
        return offer if offer.lstrip().startswith("_") else f"({offer})"
    return " _slopn_after " + " ".join(f'{word} "{offer.lstrip()}"' for word, offer in offers)


def _zsh_values(kind: str, settings: tuple[str, ...]) -> str:
    if kind in ASKED:
        # The blank keeps _arguments from putting compadd's options between.
        return f" _slopn_ask {ASKED[kind]}"
    return {"account": "_users", "file": "_files"}.get(kind) or _words(kind, settings)


def _fish_values(kind: str, settings: tuple[str, ...]) -> str:
    if kind in ASKED:
        return f" -a '(slopn {ASKED[kind]} 2>/dev/null)'"
    match kind:
        case "account":
            return " -a '(__fish_complete_users)'"
        case "file":
            return " -F"
        case _:
            return f" -a '{_words(kind, settings)}'"


def _offers(argument: Argument) -> list[tuple[str, str]]:
    """What to offer, each with the word that must stand before it, or an empty one."""
    if isinstance(argument.complete, str):
        return [("", argument.complete)] if argument.complete else []
    return list(argument.complete.items())


def _words(kind: str, settings: tuple[str, ...]) -> str:
    return " ".join(settings) if kind == "setting" else kind


def _options(verb: Verb) -> list[Argument]:
    return [argument for argument in verb.every if not argument.positional]


def _positionals(verb: Verb) -> list[Argument]:
    return [argument for argument in verb.arguments if argument.positional]


def _many(argument: Argument) -> bool:
    return argument.options.get("nargs") in {"+", "*"}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh(text: str) -> str:
    return "".join(f"\\{char}" if char in "[]:\\" else char for char in text)


def _fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
