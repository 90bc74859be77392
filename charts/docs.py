#!/usr/bin/env python3
"""Write the README.md of each chart and of each role, and the values.schema.json of each chart.

Those of a chart come from the comments of its values.yaml. Above a key, ``# -- text`` describes it (the text may go on
in further comment lines) and ``# @schema {...}`` adds JSON Schema keywords to what its default value says. A key with a
description, and every list, is one row of the README; a mapping without one is a heading for its keys. Beside it, where
they are there, ``definitions.yaml`` holds shared definitions, ``foreign.yaml`` the keys of other charts that are let
through, and ``templates/_defaults.tpl`` gets the defaults, for templates to fall back on where a user has written
``null``. That of a role comes from its argument specs. ABOUT.md, which every chart has and some roles, holds what is
said of no single value.

    charts/docs.py            write
    charts/docs.py --check    fail, naming the files that are stale
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHARTS = Path(__file__).resolve().parent
# The collection, which a checkout holds under its name.
sys.path.insert(0, str(CHARTS.parent / "collections"))

from ansible_collections.continuum.edge.plugins.module_utils import kubernetes_yaml  # noqa: E402

ROLES = CHARTS.parent / "roles"
TYPES = {
    "tag:yaml.org,2002:str": "string",
    "tag:yaml.org,2002:int": "integer",
    "tag:yaml.org,2002:float": "number",
    "tag:yaml.org,2002:bool": "boolean",
    "tag:yaml.org,2002:seq": "array",
    "tag:yaml.org,2002:map": "object",
}


@dataclass(frozen=True)
class Value:
    """One key of values.yaml."""

    path: tuple[str, ...]
    type: str
    default: Any
    description: str
    schema: dict[str, Any]
    children: tuple["Value", ...]


def read_comments(lines: list[str], line: int) -> tuple[str, dict[str, Any]]:
    """Return the description and the schema that stand in the comment lines right above a line."""
    block: list[str] = []
    while line > 0 and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        block.insert(0, lines[line].strip().lstrip("#").strip())
    text: list[str] = []
    schema: dict[str, Any] = {}
    for comment in block:
        if comment.startswith("@schema "):
            schema.update(json.loads(comment.removeprefix("@schema ")))
        elif comment.startswith("-- "):
            text = [comment.removeprefix("-- ")]
        elif text:
            text.append(comment)
    return " ".join(text), schema


def read_mapping(node: yaml.MappingNode, lines: list[str], path: tuple[str, ...] = ()) -> Iterator[Value]:
    """Yield the keys of a mapping, with the keys below them unless their own comment describes them all."""
    for key, value in node.value:
        name = (*path, key.value)
        description, schema = read_comments(lines, key.start_mark.line)
        heading = isinstance(value, yaml.MappingNode) and not description
        if not description and not heading:
            sys.exit(f"values.yaml: {'.'.join(name)} has no comment '# -- …' that describes it")
        children = tuple(read_mapping(value, lines, name)) if heading else ()
        yield Value(name, TYPES[value.tag], plain(value), description, schema, children)


def plain(node: yaml.Node) -> Any:
    """Return the value of a node."""
    return yaml.safe_load(yaml.serialize(node))


def to_schema(value: Value) -> dict[str, Any]:
    """Return the JSON Schema of one key."""
    if "$ref" in value.schema:
        return dict(value.schema)
    schema: dict[str, Any] = {"type": value.type}
    if value.description:
        schema["description"] = value.description
    if value.children:
        schema |= closed(value.children)
    return schema | value.schema


def to_default(value: Value) -> Any:
    """Return what stands in the place of a key that is ``null``: its default; none for a block of free keys."""
    if value.children:
        return {child.path[-1]: to_default(child) for child in value.children}
    return {} if value.schema.get("additionalProperties") else value.default


def let_through(schema: dict[str, Any], path: list[str], meaning: str) -> None:
    """Add a key of another chart to the schema of an object."""
    for name in path[:-1]:
        schema = schema["properties"].setdefault(
            name, {"type": "object", "properties": {}, "additionalProperties": False}
        )
    schema["properties"][path[-1]] = {"description": f"Of other charts. {meaning}"}


def closed(values: tuple[Value, ...]) -> dict[str, Any]:
    """Return the keywords of an object that has these keys and no others."""
    return {"properties": {value.path[-1]: to_schema(value) for value in values}, "additionalProperties": False}


def to_rows(values: tuple[Value, ...]) -> Iterator[str]:
    """Yield the README's table rows."""
    for value in values:
        if value.children:
            yield from to_rows(value.children)
            continue
        default = json.dumps(value.default, ensure_ascii=False)
        yield to_row(f"`{'.'.join(value.path)}`", value.type, f"`{default}`", value.description)


def to_row(*cells: str) -> str:
    """Return one row of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def render_chart(chart: Path) -> dict[Path, str]:
    """Return the files of a chart that follow from its values.yaml."""
    source = (chart / "values.yaml").read_text(encoding="utf-8")
    meta = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    root = yaml.compose(source, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        sys.exit(f"{chart / 'values.yaml'} is no mapping")
    values = tuple(read_mapping(root, source.splitlines()))
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "title": meta["name"], "type": "object"}
    schema |= closed(values)
    # Helm hands a chart that is used as a part of another one its parent's globals.
    schema["properties"]["global"] = {"type": "object"}
    foreign = chart / "foreign.yaml"
    for name, meaning in yaml.safe_load(foreign.read_text(encoding="utf-8")).items() if foreign.exists() else ():
        let_through(schema, name.split("."), meaning)
    definitions = chart / "definitions.yaml"
    if definitions.exists():
        schema["definitions"] = yaml.safe_load(definitions.read_text(encoding="utf-8"))
    about = (chart / "ABOUT.md").read_text(encoding="utf-8").strip()
    readme = "\n".join(
        [
            f"<!-- Written by charts/docs.py from ABOUT.md and values.yaml. -->\n# {meta['name']}\n",
            f"{meta['description']}\n",
            f"{about}\n",
            "## Values\n",
            "An unknown key or a value of another type is refused before anything is installed.\n",
            "| Key | Type | Default | Meaning |\n| --- | --- | --- | --- |",
            *to_rows(values),
        ]
    )
    files = {
        chart / "README.md": readme + "\n",
        chart / "values.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n",
    }
    template = chart / "templates" / "_defaults.tpl"
    if template.exists():
        defaults = kubernetes_yaml.dump({value.path[-1]: to_default(value) for value in values}, sort_keys=False)
        head = (
            f'{{{{/* Written by charts/docs.py from values.yaml. */}}}}\n{{{{- define "{meta["name"]}.defaults" -}}}}\n'
        )
        files[template] = f"{head}{defaults}{{{{- end -}}}}\n"
    return files


# What Ansible's documentation marks, and how Markdown shows it.
MARKUP = (
    (r"\b(?:C|E|F|M|O|P|RV|V)\(((?:[^()\\]|\\.)*)\)", r"`\1`"),
    (r"\bI\(([^()]*)\)", r"*\1*"),
    (r"\bB\(([^()]*)\)", r"**\1**"),
)


def to_paragraphs(description: str | list[str]) -> list[str]:
    """Return a description of an argument spec as Markdown."""
    paragraphs = [description] if isinstance(description, str) else description
    for pattern, shown in MARKUP:
        paragraphs = [re.sub(pattern, shown, text) for text in paragraphs]
    return [" ".join(text.split()) for text in paragraphs]


def to_option_rows(options: dict[str, Any], above: str = "") -> Iterator[str]:
    """Yield the rows of a role's options, each with those within it."""
    for name, option in options.items():
        kind = f"{option['type']} of {option['elements']}" if "elements" in option else option["type"]
        default = f"`{json.dumps(option['default'], ensure_ascii=False)}`" if "default" in option else ""
        meaning = to_paragraphs(option["description"])
        if "choices" in option:
            meaning.append(f"One of {', '.join(f'`{choice}`' for choice in option['choices'])}.")
        yield to_row(f"`{above}{name}`", kind, "required" if option.get("required") else default, " ".join(meaning))
        yield from to_option_rows(option.get("options", {}), f"{above}{name}.")


def to_table(options: dict[str, Any]) -> list[str]:
    """Return the table of a role's options, nothing where there are none."""
    head = ["| Variable | Type | Default | Meaning |", "| --- | --- | --- | --- |"]
    return ["\n".join([*head, *to_option_rows(options)])] if options else []


def to_section(entry: str, spec: dict[str, Any], main: dict[str, Any]) -> list[str]:
    """Return the paragraphs of an entry point besides main; ``main`` are the options of that."""
    options = spec.get("options", {})
    more = {name: option for name, option in options.items() if name not in main}
    takes = [f"It takes the variables above{', and these:' if more else '.'}"] if len(more) < len(options) else []
    return [
        f"## Entry point {entry}",
        f"{spec['short_description']}.",
        *to_paragraphs(spec.get("description", [])),
        *takes,
        *to_table(more),
    ]


def render_role(role: Path) -> dict[Path, str]:
    """Return the README of a role, which follows from its argument specs."""
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    about = role / "ABOUT.md"
    sources = [*(["ABOUT.md"] if about.exists() else []), "meta/argument_specs.yml"]
    main = specs.pop("main", {})
    readme = [f"<!-- Written by charts/docs.py from {' and '.join(sources)}. -->\n# continuum.edge.{role.name}"]
    if main:
        readme += [f"{main['short_description']}.", *to_paragraphs(main.get("description", []))]
    if about.exists():
        readme.append(about.read_text(encoding="utf-8").strip())
    if main:
        readme += [
            "## Variables",
            "A variable of the role that is not among these is refused.",
            *to_table(main["options"]),
        ]
    for entry, spec in specs.items():
        readme += to_section(entry, spec, main.get("options", {}))
    return {role / "README.md": "\n\n".join(readme) + "\n"}


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is stale")
    arguments = parser.parse_args()
    files: dict[Path, str] = {}
    for about in sorted(CHARTS.glob("*/ABOUT.md")):
        files |= render_chart(about.parent)
    for specs in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        files |= render_role(specs.parents[1])
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if arguments.check:
        for path in stale:
            print(f"{path.relative_to(CHARTS.parent)} is stale: run charts/docs.py")
        return 1 if stale else 0
    for path in stale:
        path.write_text(files[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
