"""Makes the inputs of the golden corpus: python3 tests/golden/make_inputs.py

Needs Pillow and numpy; their versions matter little, since the inputs are
checked in. Everything is drawn here, so nothing needs a licence.
Then MINILAB_BLESS=1 cargo test -p minilab-imaging --test pictures writes the
expected prints, and compare_with_pillow.py holds those against Pillow.
"""

import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageDraw

HERE = pathlib.Path(__file__).parent
HEAD = '[source]\nbucket = "golden-source"\n[processed]\nbucket = "golden-processed"\n[defaults]\nmetadata = "none"\n'


def scene(width, height, seed=1, grain=0):
    """Soft colour, hard edges and, if asked for, grain; no two corners alike."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    u, v = x / max(width - 1, 1), y / max(height - 1, 1)
    red = 255 * u
    green = 255 * v
    blue = 127 + 127 * np.sin(7 * u + 3 * v * v)
    picture = np.stack([red, green, blue], axis=2)
    picture += np.random.default_rng(seed).normal(seed, grain, picture.shape)
    image = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.ellipse((width * 0.1, height * 0.15, width * 0.45, height * 0.6), fill=(240, 220, 30))
    draw.rectangle((width * 0.6, height * 0.55, width * 0.9, height * 0.85), fill=(20, 30, 160))
    draw.line((0, height - 1, width - 1, 0), fill=(255, 255, 255), width=2)
    draw.rectangle((0, 0, width // 12, height // 12), fill=(200, 0, 0))
    return image


def with_alpha(image):
    width, height = image.size
    y, x = np.mgrid[0:height, 0:width].astype(float)
    alpha = (255 * x / (width - 1)).astype(np.uint8)
    alpha[(y < height / 3) & (x > width * 0.7)] = 0
    out = image.convert("RGB")
    out.putalpha(Image.fromarray(alpha))
    return out


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    data[0x013B] = "Ada Lovelace"
    data[0x8298] = "(c) 2026 Ada"
    data[0x010F] = "Kamera"
    return data.tobytes()


def case(name, data, extension, outputs):
    folder = HERE / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"input.{extension}").write_bytes(data)
    recipe = folder / "recipe.toml"
    text = HEAD
    for i, output in enumerate(outputs):
        text += f'\n[[output]]\nkey = "{i}-{{stem}}-{{width}}x{{height}}.{{ext}}"\n{output}\n'
    recipe.write_text(text)


def saved(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


PNG = 'format = "png"'
SMALL = 'resize = { width = 60 }\nformat = "png"'


def jpegs():
    base = scene(150, 101)
    for value in range(1, 9):
        case(f"orientation/{value}", saved(base, "JPEG", quality=92, exif=exif(value)), "jpg",
             [PNG, 'resize = { width = 40, height = 40, fit = "cover", position = "left top" }\nformat = "png"',
              'pixelate = { cells = 5 }\nformat = "png"'])
    wide = scene(203, 117)
    for name, sampling in [("444", 0), ("422", 1), ("420", 2)]:
        case(f"jpeg/{name}", saved(wide, "JPEG", quality=90, subsampling=sampling), "jpg", [PNG, SMALL])
    case("jpeg/progressive", saved(wide, "JPEG", quality=85, progressive=True), "jpg", [PNG, SMALL])
    case("jpeg/grey", saved(wide.convert("L"), "JPEG", quality=85), "jpg",
         [PNG, 'resize = { width = 60 }\nformat = "jpeg"', 'resize = { width = 60 }\nformat = "webp"'])
    case("jpeg/cmyk", saved(wide.convert("CMYK"), "JPEG", quality=92), "jpg", [PNG, SMALL])
    case("jpeg/rgb", saved(wide, "JPEG", quality=92, keep_rgb=True), "jpg", [PNG, SMALL])
    case("jpeg/one_pixel", saved(scene(1, 1), "JPEG"), "jpg",
         ['format = "png"\nresize = { width = 9, enlarge = true }', 'pixelate = { cells = 8 }', 'format = "webp"'])
    case("jpeg/prints", saved(scene(640, 427, grain=2), "JPEG", quality=80), "jpg",
         ['resize = { width = 320 }\nquality = 90', 'resize = { width = 160 }', 'resize = { width = 80 }\nformat = "webp"',
          'pixelate = { cells = 8 }', 'pixelate = { block = 40 }\nformat = "webp"',
          'resize = { width = 100, height = 100, fit = "contain" }\nbackground = "#ff8000"',
          'resize = { width = 90 }\npixelate = { cells = 6 }'])


def pngs():
    base = scene(97, 71)
    modes = {
        "grey1": base.convert("1"),
        "grey8": base.convert("L"),
        "rgb8": base,
        "palette": base.quantize(60),
        "palette4": base.quantize(12),
        "rgba": with_alpha(base),
        "grey_alpha": with_alpha(base).convert("LA"),
    }
    for name, image in modes.items():
        case(f"png/{name}", saved(image, "PNG", optimize=True), "png", [PNG, SMALL])
    rgba = with_alpha(base)
    case("png/palette_alpha", saved(rgba.quantize(40), "PNG"), "png", [PNG, SMALL])
    case("png/flattened", saved(rgba, "PNG"), "png",
         ['resize = { width = 60 }\nformat = "jpeg"\nbackground = "#00ff00"\nquality = 95',
          'pixelate = { cells = 6 }', 'format = "webp"', 'format = "gif"'])
    rgb = np.asarray(base)
    sixteen = (rgb.astype(np.uint32) * 257 + (np.arange(97)[None, :, None] % 120)).clip(0, 65535).astype(">u2")
    case("png/rgb16", png(97, 71, 16, 2, sixteen.tobytes(), 97 * 6), "png", [PNG, SMALL])
    case("png/interlaced", interlaced(rgb), "png", [PNG, SMALL])
    linear = (((rgb / 255.0) ** 2.2) * 255).round().astype(np.uint8)
    case("colour/gamma1", png(97, 71, 8, 2, linear.tobytes(), 97 * 3, [(b"gAMA", struct.pack(">I", 100000))]), "png", [PNG])
    keyed = png(97, 71, 8, 2, rgb.tobytes(), 97 * 3, [(b"tRNS", struct.pack(">3H", 20, 30, 160))])
    case("png/colour_key", keyed, "png", [PNG, SMALL])
    turned = png(97, 71, 8, 2, rgb.tobytes(), 97 * 3, after=[(b"eXIf", exif(6)[6:])])
    case("orientation/png", turned, "png", [PNG, SMALL])


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, raw, stride, before=(), after=(), interlace=0, filtered=None):
    rows = filtered or b"".join(b"\0" + raw[i:i + stride] for i in range(0, len(raw), stride))
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))
    for kind, data in before:
        out += chunk(kind, data)
    out += chunk(b"IDAT", zlib.compress(rows, 9))
    for kind, data in after:
        out += chunk(kind, data)
    return out + chunk(b"IEND", b"")


def interlaced(rgb):
    height, width, _ = rgb.shape
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b""
    for x, y, dx, dy in passes:
        for row in rgb[y::dy, x::dx]:
            if len(row):
                rows += b"\0" + row.tobytes()
    return png(width, height, 8, 2, b"", 0, interlace=1, filtered=rows)


def profile(primaries, gamma):
    """A minimal matrix profile (ICC.1:2022), colorants adapted to D50 by Bradford."""
    d65 = np.array([0.95047, 1.0, 1.08883])
    d50 = np.array([0.9642, 1.0, 0.8249])
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    xyz = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    colorants = xyz * np.linalg.solve(xyz, d65)
    adapt = np.linalg.inv(bradford) @ np.diag((bradford @ d50) / (bradford @ d65)) @ bradford
    colorants = adapt @ colorants
    fixed = lambda v: struct.pack(">i", round(v * 65536))
    xyz_tag = lambda v: b"XYZ \0\0\0\0" + b"".join(fixed(c) for c in v)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    text = lambda s: b"desc\0\0\0\0" + struct.pack(">I", len(s) + 1) + s + b"\0" * 79
    tags = [(b"desc", text(b"test")), (b"wtpt", xyz_tag(d50)), (b"rXYZ", xyz_tag(colorants[:, 0])),
            (b"gXYZ", xyz_tag(colorants[:, 1])), (b"bXYZ", xyz_tag(colorants[:, 2])),
            (b"rTRC", curve), (b"gTRC", curve), (b"bTRC", curve), (b"cprt", b"text\0\0\0\0CC0\0")]
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags:
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + b"".join(fixed(c) for c in d50)
    head += b"\0" * (128 - len(head))
    return head + struct.pack(">I", len(tags)) + table + body


def colours():
    base = scene(101, 67)
    p3 = profile([(0.68, 0.32), (0.265, 0.69), (0.15, 0.06)], 2.2)
    adobe = profile([(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)], 2.19921875)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, icc in [("p3", p3), ("adobe", adobe), ("srgb", srgb)]:
        case(f"colour/{name}_jpeg", saved(base, "JPEG", quality=92, subsampling=0, icc_profile=icc), "jpg",
             [PNG, 'resize = { width = 60 }\nformat = "jpeg"\nquality = 95', 'pixelate = { cells = 6 }\nformat = "png"'])
        case(f"colour/{name}_png", saved(base, "PNG", icc_profile=icc), "png", [PNG, SMALL])
    case("colour/p3_webp", saved(base, "WEBP", lossless=True, icc_profile=p3), "webp", [PNG])


def webps():
    base = scene(113, 79)
    rgba = with_alpha(base)
    every = [PNG, SMALL, 'resize = { width = 60 }']
    case("webp/lossy", saved(base, "WEBP", quality=85), "webp", every)
    case("webp/lossless", saved(base, "WEBP", lossless=True), "webp", every)
    case("webp/alpha", saved(rgba, "WEBP", quality=85), "webp", every)
    case("webp/lossless_alpha", saved(rgba, "WEBP", lossless=True, exact=True), "webp", every)
    case("orientation/webp", saved(base, "WEBP", quality=85, exif=exif(8)), "webp", [PNG])
    frames = [scene(60, 40, seed) for seed in range(3)]
    case("webp/animated", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=80), "webp", [PNG])


def gifs():
    base = scene(90, 60)
    case("gif/still", saved(base.quantize(100), "GIF"), "gif", [PNG, 'resize = { width = 45 }', 'format = "jpeg"'])
    clear = with_alpha(base).quantize(50)
    case("gif/transparent", saved(clear, "GIF"), "gif", [PNG, 'resize = { width = 45 }'])
    frames = []
    for i in range(4):
        frame = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
        ImageDraw.Draw(frame).ellipse((i * 10, 8, i * 10 + 24, 36), fill=(250 - i * 60, i * 70, 90, 255))
        frames.append(frame)
    for disposal in (1, 2, 3):
        case(f"gif/disposal_{disposal}",
             saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=[50, 100, 150, 200], loop=3,
                   disposal=disposal, transparency=0), "gif",
             ['resize = { width = 32 }', 'pixelate = { cells = 4 }', PNG])


def geometry():
    base = saved(scene(160, 90), "PNG")
    outputs = []
    for fit in ("cover", "contain", "fill", "inside", "outside"):
        for size in ("width = 50, height = 50", "width = 200, height = 40"):
            outputs.append(f'resize = {{ {size}, fit = "{fit}" }}\nformat = "png"\nbackground = "#102030"')
    outputs.append('resize = { width = 40, height = 80, fit = "cover", position = "right" }\nformat = "png"')
    outputs.append('resize = { width = 80, height = 80, fit = "contain", position = "top" }\nformat = "png"\nbackground = "#00000000"')
    outputs.append('resize = { width = 240, enlarge = true }\nformat = "png"')
    case("geometry/fits", base, "png", outputs)
    outputs = [
        'extend = 20\nbackground = "#102030"',
        'extend = { top = 10, right = "5%", bottom = 10, left = "5%" }\nbackground = "transparent"',
        'resize = { width = 50, height = 50, fit = "contain" }\nextend = "10%"\nbackground = "#102030"',
    ]
    case("geometry/extend", base, "png", [f'{output}\nformat = "png"' for output in outputs])


def avifs():
    """Pillow's AVIF is libavif's, with libaom."""
    base = scene(149, 101)
    every = [PNG, SMALL]
    for name, options in {
        "420": {"subsampling": "4:2:0"}, "422": {"subsampling": "4:2:2"}, "444": {"subsampling": "4:4:4"},
        "grey": {"subsampling": "4:0:0"}, "limited": {"subsampling": "4:2:0", "range": "limited"},
    }.items():
        case(f"avif/{name}", saved(base, "AVIF", quality=80, **options), "avif", every)
    case("avif/alpha", saved(with_alpha(base), "AVIF", quality=80), "avif", every)
    p3 = profile([(0.68, 0.32), (0.265, 0.69), (0.15, 0.06)], 2.2)
    case("avif/p3", saved(base, "AVIF", quality=85, icc_profile=p3), "avif", [PNG])
    # libavif writes the orientation as irot and imir.
    for value in (2, 3, 4, 5, 6, 7, 8):
        case(f"orientation/avif_{value}", saved(base, "AVIF", quality=75, exif=exif(value)), "avif", [PNG])
    case("avif/written", saved(scene(160, 120), "PNG"), "png", [
        'format = "avif"\nquality = 60', 'format = "avif"\nquality = 95', 'resize = { width = 41 }\nformat = "avif"'])


def deep_avifs():
    """libvips' AVIF is libheif's, with libaom: Pillow writes 8 bits only."""
    import pyvips
    y, x = np.mgrid[0:60, 0:90].astype(float)
    ramp = np.stack([x / 89, y / 59, (x + y) / 148], axis=2) * 65535
    deep = pyvips.Image.new_from_array(ramp.astype(np.uint16)).copy(interpretation="rgb16")
    for bits in (10, 12):
        data = deep.heifsave_buffer(compression="av1", bitdepth=bits, Q=85, subsample_mode="off")
        case(f"avif/{bits}_bits", data, "avif", [PNG, SMALL])


def heics():
    """pillow-heif's HEIC is libheif's, with x265."""
    import pillow_heif
    pillow_heif.register_heif_opener()
    base = scene(149, 101)
    every = [PNG, SMALL]
    case("heic/420", saved(base, "HEIF", quality=80), "heic", every)
    case("heic/grey", saved(base.convert("L"), "HEIF", quality=80), "heic", every)
    case("heic/alpha", saved(with_alpha(base), "HEIF", quality=80), "heic", every)
    case("heic/grid", saved(scene(300, 210), "HEIF", quality=70, tile_size=128), "heic", every)
    p3 = profile([(0.68, 0.32), (0.265, 0.69), (0.15, 0.06)], 2.2)
    case("heic/p3", saved(base, "HEIF", quality=85, icc_profile=p3), "heic", [PNG])
    case("heic/second_is_primary",
         saved(scene(80, 60, 2), "HEIF", quality=60, save_all=True, append_images=[scene(90, 50, 3)], primary_index=1),
         "heic", [PNG])
    for value in (3, 5, 6, 8):
        case(f"orientation/heic_{value}", saved(base, "HEIF", quality=60, exif=exif(value)), "heic", [PNG])
    y, x = np.mgrid[0:60, 0:90].astype(float)
    ramp = (np.stack([x / 89, y / 59, (x + y) / 148], axis=2) * 65535).astype(np.uint16)
    deep = io.BytesIO()
    pillow_heif.encode("RGB;16", (90, 60), ramp.tobytes(), deep, quality=85, save_hdr_to_12_bit=False)
    case("heic/10_bits", deep.getvalue(), "heic", every)


if __name__ == "__main__":
    jpegs()
    pngs()
    colours()
    webps()
    gifs()
    geometry()
    avifs()
    deep_avifs()
    heics()
