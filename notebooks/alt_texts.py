"""Send each figure's alt text along with it, as metadata of its picture.

A kernel runs this file when it starts, if PYTHONSTARTUP names it. `make notebooks` does so, since a
stored picture is to have its alt text, and so does `make lab`. Where DCGAN_LANGUAGE names another
language than English, what figures say is translated by LANGUAGE/pictures.toml.
"""


def alt_text(figure) -> str:  # type: ignore[no-untyped-def]
    """Return the words given to a figure; by default its titles, axis labels and legends."""
    panels = figure.axes
    legends = [legend.texts for ax in panels if (legend := ax.get_legend())]
    titles = [figure.get_suptitle(), *(ax.get_title("left") or ax.get_title() for ax in panels)]
    parts = {
        "Images: " if all(ax.images for ax in panels) else "": titles,
        "Horizontal axis: ": [ax.get_xlabel() for ax in panels],
        "Vertical axis: ": [ax.get_ylabel() for ax in panels],
        "Legend: ": [text.get_text() for texts in legends for text in texts],
    }
    joined = {name: "; ".join(dict.fromkeys(filter(None, texts))) for name, texts in parts.items()}
    told = [name + text + "." * (text[-1] not in ".!?") for name, text in joined.items() if text]
    plain = " ".join(told).translate(str.maketrans("", "", "$\\{}"))  # without formulas' marks
    return str(figure.get_label() or " ".join(plain.split()))


def describe_figures(alt_text=alt_text) -> None:  # type: ignore[no-untyped-def]
    """Register with the running kernel; in Python without IPython do nothing."""
    import sys

    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None:
        return

    def describe(figure, **_):  # type: ignore[no-untyped-def]
        return {}, {"image/png": {"alt": alt_text(figure)}}

    formatter = shell.display_formatter.mimebundle_formatter
    formatter.for_type_by_name("matplotlib.figure", "Figure", describe)


FONTS = {  # that have a language's characters, on Linux, macOS and Windows
    "zh": ["Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei"]
    + ["WenQuanYi Zen Hei", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "SimHei"]
    + ["Noto Sans CJK JP", "Arial Unicode MS", "Droid Sans Fallback"],
}


def pattern_of(text: str):  # type: ignore[no-untyped-def]
    """Return what finds a catalog's text, with anything in place of its braces."""
    import re

    return re.compile("(.+?)".join(map(re.escape, text.split("{}"))), re.DOTALL)


def translator(language: str, pattern_of=pattern_of):  # type: ignore[no-untyped-def]
    """Return a function that translates what figures say, whole or by parts, by the catalog."""
    import functools
    import tomllib
    from pathlib import Path

    file = Path(__file__).parent / language / "pictures.toml"
    catalog = tomllib.loads(file.read_text("utf-8"))["pictures"]
    longest = sorted(catalog, key=len, reverse=True)
    patterns = [(pattern_of(text), catalog[text]) for text in longest if "{}" in text]

    @functools.cache
    def translated(text: str) -> str:
        if text in catalog:
            return catalog[text]
        for pattern, said in patterns:
            if match := pattern.fullmatch(text):
                return said.format(*map(translated, match.groups()))
        return text

    return translated


def translate_figures(language: str, translator=translator, fonts=FONTS) -> None:  # type: ignore[no-untyped-def]
    """Let Matplotlib translate what it writes, if the system has a font for it; else say so."""
    import contextlib

    from matplotlib import font_manager
    from matplotlib.text import Text

    def there() -> list[str]:
        names = {font.name for font in font_manager.fontManager.ttflist}
        return [name for name in fonts.get(language, []) if name in names]

    if not there():  # Matplotlib keeps a list: a font may be newer
        for path in font_manager.findSystemFonts():
            with contextlib.suppress(Exception):  # of a file that it can't read
                font_manager.fontManager.addfont(path)
    if not there():
        print(f"No font for {language!r} was found, such as Noto Sans CJK: figures stay English.")
        return
    font, families = there()[0], font_manager.FontProperties.get_family
    font_manager.FontProperties.get_family = lambda self: [*families(self), font]  # type: ignore
    plain, translated = Text.set_text, translator(language)
    Text.set_text = lambda self, s: plain(self, translated(str(s or "")))  # type: ignore


if __name__ == "__main__":
    import os

    describe_figures()
    if (language := os.environ.get("DCGAN_LANGUAGE", "en")) != "en":
        translate_figures(language)
    # they run among the reader's own names
    del alt_text, describe_figures, translate_figures, translator, pattern_of, language, os, FONTS
