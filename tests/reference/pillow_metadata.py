"""What Pillow finds in a print of the metadata of its source."""

import pytest
from PIL import Image

ARTIST, COPYRIGHT, ORIENTATION, MODEL, GPS = 0x013B, 0x8298, 0x0112, 0x0110, 0x8825
FORMATS = ["jpeg", "png", "webp"]


@pytest.fixture
def photo(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[ARTIST] = "A. Photographer"
    exif[COPYRIGHT] = "2026 A. Photographer"
    exif[MODEL] = "Box camera 3"
    exif.get_ifd(GPS)[1] = "N"
    exif.get_ifd(GPS)[2] = (43.0, 15.0, 46.8)
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (300, 200), (90, 120, 60)).save(path, exif=exif)
    with Image.open(path) as picture:
        assert picture.getexif().get_ifd(GPS), "the source carries a place"
    return path


def printed(photo, render, format: str, metadata: str) -> Image.Image:
    field = f'metadata = "{metadata}"\n' if metadata else ""
    prints = render(photo, f'[[output]]\nkey = "p"\nformat = "{format}"\nresize = {{ width = 100 }}\n{field}')
    picture = Image.open(prints / "p")
    assert picture.size == (100, 150)
    return picture


@pytest.mark.parametrize("metadata", ["copyright", ""], ids=["copyright", "default"])
@pytest.mark.parametrize("format", FORMATS)
def test_artist_and_copyright_are_kept_and_the_place_is_not(format, metadata, photo, render) -> None:
    with printed(photo, render, format, metadata) as picture:
        exif = picture.getexif()
        assert exif.get(ARTIST) == "A. Photographer"
        assert exif.get(COPYRIGHT) == "2026 A. Photographer"
        assert exif.get(ORIENTATION, 1) == 1
        assert MODEL not in exif
        assert not exif.get_ifd(GPS)


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_is_kept_where_nothing_is_asked_for(format, photo, render) -> None:
    with printed(photo, render, format, "none") as picture:
        assert not dict(picture.getexif())


@pytest.mark.parametrize("format", FORMATS)
def test_all_is_kept_but_the_orientation(format, photo, render) -> None:
    with printed(photo, render, format, "all") as picture:
        exif = picture.getexif()
        assert exif.get(MODEL) == "Box camera 3"
        assert exif.get_ifd(GPS)[1] == "N"
        assert exif.get(ORIENTATION, 1) == 1


def test_the_bundled_photo_keeps_its_credit(photos, render) -> None:
    prints = render(photos / "dogs at the window.jpg", '[[output]]\nkey = "p.jpg"\nresize = { width = 300 }\n')
    with Image.open(prints / "p.jpg") as picture:
        assert picture.size == (300, 451)
        assert picture.getexif().get(ARTIST) == "Aitzol Berasategi"
