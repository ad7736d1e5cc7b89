"""Resized prints against Pillow's Lanczos: pixels, fits, positions, orientations."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

import pictures

LANCZOS = Image.Resampling.LANCZOS


def output(key: str, format: str, more: str = "", **resize: object) -> str:
    fields = ", ".join(f"{name} = {value!r}".replace("'", '"').replace("True", "true") for name, value in resize.items())
    return f'[[output]]\nkey = "{key}"\nformat = "{format}"\nresize = {{ {fields} }}\n{more}\n'


def inside(size: tuple[int, int], width: int) -> tuple[int, int]:
    """Halves are rounded up, as sharp does; Python's round() would take the even number."""
    return (width, max(1, int(size[1] * width / size[0] + 0.5))) if width < size[0] else size


@pytest.mark.parametrize("width", [1280, 400, 160])
@pytest.mark.parametrize("name", pictures.BUNDLED)
def test_png_prints_of_photographs_are_within_40_db_of_pillow(name, width, photos, render) -> None:
    prints = render(photos / name, output("{key}.png", "png", width=width))
    source = pictures.open_upright(photos / name)
    with Image.open(prints / f"{name}.png") as picture:
        assert picture.size == inside(source.size, width)
        found = pictures.visible(picture)
    expected = pictures.visible(source.resize(inside(source.size, width), LANCZOS))
    measured = pictures.psnr(found, expected)
    print(f"{name} at {width}: {measured:.2f} dB")
    assert measured >= 40


@pytest.mark.parametrize("name", [name for name in pictures.GENERATED if not name.startswith(("1x1", "7x5", "9x1"))])
def test_png_prints_of_generated_pictures_are_within_40_db_of_pillow(name, generated, render) -> None:
    source = pictures.open_upright(generated[name])
    width = max(1, source.width // 2 - 7)
    prints = render(generated[name], output("{key}.png", "png", width=width))
    with Image.open(prints / f"{name}.png") as picture:
        assert picture.size == inside(source.size, width)
        found = pictures.visible(picture)
    measured = pictures.psnr(found, pictures.visible(source.resize(inside(source.size, width), LANCZOS)))
    print(f"{name} at {width}: {measured:.2f} dB")
    # Dithered black and white rings past 0 and 255 nearly everywhere, and where
    # that is cut off between the two passes is each implementation's choice.
    assert measured >= (35 if name.startswith("one bit") else 40)


@pytest.mark.parametrize("format", ["jpeg", "webp"])
@pytest.mark.parametrize("name", ["dragonfly-12mp.jpg", "dogs at the window.jpg", "sunset.webp"])
def test_lossy_prints_are_as_near_to_the_reference_as_pillows_own(name, format, photos, render) -> None:
    prints = render(photos / name, output("print", format, width=1024))
    source = pictures.open_upright(photos / name)
    reference = source.resize(inside(source.size, 1024), LANCZOS)
    encoded = io.BytesIO()
    reference.save(encoded, format, quality=80)
    with Image.open(prints / "print") as picture, Image.open(encoded) as pillows:
        assert picture.format == format.upper()
        assert picture.size == reference.size
        ours = pictures.psnr(pictures.visible(picture), pictures.visible(reference))
        theirs = pictures.psnr(pictures.visible(pillows), pictures.visible(reference))
    size = (prints / "print").stat().st_size
    print(f"{name} as {format}: {ours:.2f} dB in {size} bytes, Pillow {theirs:.2f} dB in {encoded.tell()} bytes")
    assert ours >= theirs - 0.5
    assert size <= encoded.getbuffer().nbytes * 1.1


@pytest.fixture(scope="module")
def landscape(tmp_path_factory):
    """600 x 400: left third red, right third blue, green between; top row of pixels brighter is not needed."""
    values = np.zeros((400, 600, 3), np.uint8)
    values[:, :200, 0] = 255
    values[:, 200:400, 1] = 255
    values[:, 400:, 2] = 255
    path = tmp_path_factory.mktemp("landscape") / "landscape.png"
    Image.fromarray(values).save(path)
    return path


@pytest.fixture(scope="module")
def portrait(tmp_path_factory, landscape):
    """400 x 600: top third red, bottom third blue, green between."""
    path = tmp_path_factory.mktemp("portrait") / "portrait.png"
    with Image.open(landscape) as picture:
        picture.transpose(Image.Transpose.ROTATE_270).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)
    return path


@pytest.mark.parametrize(
    ("resize", "size"),
    [
        ({"width": 300, "height": 300, "fit": "cover"}, (300, 300)),
        ({"width": 300, "height": 300, "fit": "contain"}, (300, 300)),
        ({"width": 300, "height": 300, "fit": "fill"}, (300, 300)),
        ({"width": 300, "height": 300, "fit": "inside"}, (300, 200)),
        ({"width": 300, "height": 300, "fit": "outside"}, (450, 300)),
        ({"width": 300, "height": 100, "fit": "inside"}, (150, 100)),
        ({"width": 300, "height": 100, "fit": "outside"}, (300, 200)),
        ({"width": 150}, (150, 100)),
        ({"height": 100}, (150, 100)),
        ({"width": 1}, (1, 1)),
        ({"width": 1200}, (600, 400)),
        ({"width": 1200, "enlarge": True}, (1200, 800)),
        ({"width": 1200, "height": 900, "fit": "inside", "enlarge": True}, (1200, 800)),
        ({"width": 1200, "height": 900, "fit": "cover", "enlarge": True}, (1200, 900)),
        ({"width": 1200, "height": 900, "fit": "fill", "enlarge": True}, (1200, 900)),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else f"{value[0]}x{value[1]}",
)
def test_a_fit_gives_the_documented_size(resize, size, landscape, render) -> None:
    prints = render(landscape, output("{width}x{height}.png", "png", **resize))
    with Image.open(prints / f"{size[0]}x{size[1]}.png") as picture:
        assert picture.size == size


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.mark.parametrize(
    ("kind", "position", "colour"),
    [
        ("landscape", "left", RED),
        ("landscape", "center", GREEN),
        ("landscape", "right", BLUE),
        ("landscape", "top left", RED),
        ("landscape", "bottom-right", BLUE),
        ("landscape", "west", RED),
        ("portrait", "top", RED),
        ("portrait", "center", GREEN),
        ("portrait", "bottom", BLUE),
        ("portrait", "south", BLUE),
    ],
)
def test_cover_keeps_the_part_at_the_position(kind, position, colour, request, render) -> None:
    # A box as narrow as a quarter of the picture lies inside one third at each position.
    box = {"width": 75, "height": 200} if kind == "landscape" else {"width": 200, "height": 75}
    prints = render(request.getfixturevalue(kind), output("p.png", "png", fit="cover", position=position, **box))
    with Image.open(prints / "p.png") as picture:
        assert picture.size == (box["width"], box["height"])
        corners = [(x, y) for x in (0, picture.width - 1) for y in (0, picture.height - 1)]
        assert {picture.convert("RGB").getpixel(corner) for corner in corners} == {colour}


@pytest.mark.parametrize("position", ["center", "top", "bottom"])
def test_contain_fills_its_bars_with_the_background(position, landscape, render) -> None:
    recipe = output("p.png", "png", 'background = "#102030"', width=300, height=300, fit="contain", position=position)
    prints = render(landscape, recipe)
    top = {"center": 50, "top": 0, "bottom": 100}[position]
    with Image.open(prints / "p.png") as picture:
        assert picture.size == (300, 300)
        values = np.asarray(picture.convert("RGB"), dtype=int)
    bars = np.concatenate([values[:top], values[top + 200 :]])
    assert (bars == (16, 32, 48)).all()
    assert (np.abs(values[top + 4 : top + 196, 4:90] - RED) <= 2).all()
    assert (np.abs(values[top + 4 : top + 196, 210:296] - BLUE) <= 2).all()


def test_alpha_shows_the_background_through_in_a_jpeg(generated, render) -> None:
    name = "alpha 640x427.png"
    prints = render(generated[name], output("p.jpg", "jpeg", 'background = "#204060"\nquality = 95', width=320))
    source = pictures.open_upright(generated[name])
    size = inside(source.size, 320)
    backdrop = Image.new("RGBA", size, "#204060")
    backdrop.alpha_composite(source.resize(size, LANCZOS))
    with Image.open(prints / "p.jpg") as picture:
        assert picture.size == size
        measured = pictures.psnr(pictures.visible(picture), pictures.visible(backdrop))
    assert measured >= 30, f"{measured:.2f} dB"


@pytest.mark.parametrize("alike", ["jpg", "png", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_is_applied_and_forgotten(orientation, alike, tmp_path, render) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = Image.fromarray(pictures.eight_bit(pictures.scene(320, 200)))
    path = tmp_path / f"source.{alike}"
    options = {"jpg": {"quality": 95, "subsampling": "4:4:4"}, "png": {}, "webp": {"lossless": True}}[alike]
    upright.save(path, exif=exif, **options)
    prints = render(path, output("small.png", "png", width=150) + output("pixelated.{ext}", "source", width=4000))
    with Image.open(path) as picture:
        source = ImageOps.exif_transpose(picture).convert("RGB")
    assert source.size == ((320, 200) if orientation < 5 else (200, 320))
    with Image.open(prints / "small.png") as picture:
        assert picture.size == inside(source.size, 150)
        measured = pictures.psnr(pictures.visible(picture), pictures.visible(source.resize(picture.size, LANCZOS)))
        assert measured >= 40, f"{measured:.2f} dB: turned the wrong way?"
    with Image.open(prints / f"pixelated.{alike}") as picture:
        assert picture.size == source.size
        assert picture.getexif().get(0x0112, 1) == 1
        assert pictures.psnr(pictures.visible(picture), pictures.visible(source)) >= 25
