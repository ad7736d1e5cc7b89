"""Makes the golden inputs of the formats beside JPEG, PNG, WebP and GIF:

    python3 tests/golden/make_formats.py

Needs Pillow, numpy, tifffile, imagecodecs (QOI, libjxl, TIFF compressions) and
ImageMagick's `convert` (runs in BMP). Like make_inputs.py: the inputs are
checked in, and compare_formats.py holds the prints against other decoders.
"""

import base64
import gzip
import io
import subprocess

import imagecodecs
import numpy as np
import tifffile
from make_inputs import HERE, PNG, SMALL, case, profile, saved, scene, with_alpha
from PIL import Image, ImageDraw


def tiffs():
    base = scene(61, 43)
    rgb = np.asarray(base)
    grey = np.asarray(base.convert("L"))
    rgba = np.asarray(with_alpha(base))
    wide = (rgb.astype(np.uint32) * 257 + np.arange(61, dtype=np.uint32)[None, :, None]).clip(0, 65535).astype(np.uint16)
    associated = rgba.copy()
    associated[..., :3] = (rgba[..., :3].astype(int) * rgba[..., 3:] + 127) // 255

    def tiff(name, data, outputs=(PNG,), **options):
        out = io.BytesIO()
        options.setdefault("metadata", None)
        options.setdefault("photometric", "rgb" if data.ndim == 3 else "minisblack")
        order = options.pop("byteorder", "<")
        with tifffile.TiffWriter(out, byteorder=order, bigtiff=options.pop("bigtiff", False)) as writer:
            if "thumbnail" in options:
                writer.write(options.pop("thumbnail"), photometric="rgb", subfiletype=1, metadata=None)
            writer.write(data, **options)
        case(f"tiff/{name}", out.getvalue(), "tif", list(outputs))

    tiff("rgb8", rgb, [PNG, SMALL])
    tiff("rgb8_big_endian", rgb, byteorder=">", rowsperstrip=7)
    tiff("rgb8_lzw", rgb, compression="lzw", predictor=2, rowsperstrip=10)
    tiff("rgb8_deflate", rgb, compression="zlib", predictor=2, rowsperstrip=10)
    tiff("rgb8_packbits", rgb // 32 * 32, compression="packbits")
    tiff("rgb8_tiles", rgb, tile=(16, 32), compression="lzw")
    tiff("rgb8_planar", rgb.transpose(2, 0, 1).copy(), planarconfig="separate", compression="zlib", rowsperstrip=9)
    tiff("rgb8_planar_tiles", rgb.transpose(2, 0, 1).copy(), planarconfig="separate", tile=(16, 16))
    tiff("rgb8_bigtiff", rgb, bigtiff=True, compression="zlib")
    tiff("rgb8_behind_thumbnail", rgb, thumbnail=rgb[::8, ::8].copy(), compression="zlib")
    tiff("rgb16", wide, [PNG, SMALL], compression="zlib", predictor=2)
    tiff("rgb16_big_endian", wide, byteorder=">", compression="lzw", predictor=2, rowsperstrip=20)
    tiff("rgb_unused_sample", np.dstack([rgb, grey]), extrasamples=["unspecified"])
    tiff("rgba", rgba, [PNG, SMALL], extrasamples=["unassalpha"], compression="zlib")
    tiff("rgba_associated", associated, extrasamples=["assocalpha"], compression="zlib")
    tiff("rgba_planar", rgba.transpose(2, 0, 1).copy(), planarconfig="separate", extrasamples=["unassalpha"], compression="zlib")
    tiff("grey8", grey, [PNG, SMALL])
    tiff("grey8_white_is_zero", grey, photometric="miniswhite", compression="lzw")
    tiff("grey16", wide[..., 0].copy(), compression="zlib")
    tiff("grey4", grey // 16, bitspersample=4)
    tiff("grey2", grey // 64, bitspersample=2)
    tiff("grey12", wide[..., 0] >> 4, bitspersample=12)
    tiff("grey1", grey > 127, photometric="miniswhite")
    tiff("grey_alpha", np.dstack([grey, rgba[..., 3]]), photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])
    table = np.random.default_rng(3).integers(0, 65536, (3, 256), dtype=np.uint16)
    tiff("palette8", grey, photometric="palette", colormap=table, compression="zlib")
    case("tiff/palette4", converted(base.quantize(14), "-compress", "None", "TIFF:-"), "tif", [PNG])
    cmyk = np.asarray(base.convert("CMYK")).copy()
    cmyk[..., 3] = grey // 4
    tiff("cmyk", cmyk, photometric="separated", compression="lzw")
    tiff("cmyk16", cmyk.astype(np.uint16) * 257, photometric="separated", compression="zlib")
    tiff("jpeg_rgb", rgb, compression="jpeg", compressionargs={"level": 95, "outcolorspace": "rgb"}, photometric="rgb", rowsperstrip=16)
    tiff("jpeg_ycbcr", rgb, compression="jpeg", compressionargs={"level": 95}, photometric="ycbcr", subsampling=(1, 1), tile=(32, 32))
    tiff("jpeg_grey", grey, compression="jpeg", compressionargs={"level": 95}, rowsperstrip=16)
    case("tiff/jpeg_tables", saved(base, "TIFF", compression="jpeg", quality=95), "tif", [PNG])
    case("tiff/pillow_lzw", saved(base, "TIFF", compression="tiff_lzw"), "tif", [PNG])
    case("tiff/pillow_bilevel", saved(base.convert("1"), "TIFF"), "tif", [PNG])
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x013B] = "Ada Lovelace"
    case("tiff/orientation6", saved(base, "TIFF", exif=exif, compression="tiff_lzw"), "tif",
         [PNG, 'resize = { width = 20 }\nformat = "png"'])
    p3 = profile([(0.68, 0.32), (0.265, 0.69), (0.15, 0.06)], 2.2)
    case("tiff/p3", saved(base, "TIFF", icc_profile=p3, compression="tiff_lzw"), "tif", [PNG])
    tiff("p3_16", wide, iccprofile=p3, compression="zlib", predictor=2)


def converted(image, *options):
    return subprocess.run(["/usr/bin/convert", "png:-", *options], input=saved(image, "PNG"), capture_output=True, check=True).stdout


def bmps():
    base = scene(51, 37)
    every = [PNG, SMALL]
    case("bmp/rgb24", saved(base, "BMP"), "bmp", every)
    case("bmp/palette8", saved(base.quantize(200), "BMP"), "bmp", every)
    case("bmp/grey8", saved(base.convert("L"), "BMP"), "bmp", [PNG])
    case("bmp/bilevel", saved(base.convert("1"), "BMP"), "bmp", [PNG])
    flat = Image.new("RGB", (90, 40), (200, 30, 40))
    ImageDraw.Draw(flat).ellipse((20, 5, 60, 35), fill=(20, 90, 200))
    ImageDraw.Draw(flat).line((0, 0, 89, 39), fill=(255, 255, 0), width=3)
    case("bmp/rle8", converted(flat.quantize(8), "-compress", "RLE", "BMP3:-"), "bmp", [PNG])
    case("bmp/alpha32", converted(with_alpha(base), "BMP:-"), "bmp", every)
    case("bmp/rgb565", converted(base, "-define", "bmp:subtype=RGB565", "BMP:-"), "bmp", [PNG])
    case("bmp/rgb555", converted(base, "-define", "bmp:subtype=RGB555", "BMP:-"), "bmp", [PNG])
    data = bytearray(saved(base, "BMP"))
    stride = (51 * 3 + 3) // 4 * 4
    rows = [data[54 + i * stride:54 + (i + 1) * stride] for i in range(37)]
    data[22:26] = (-37).to_bytes(4, "little", signed=True)
    case("bmp/top_down", bytes(data[:54]) + b"".join(rows[::-1]), "bmp", [PNG])
    core = b"BM" + (26 + stride * 37).to_bytes(4, "little") + bytes(4) + (26).to_bytes(4, "little")
    core += (12).to_bytes(4, "little") + b"".join(v.to_bytes(2, "little") for v in (51, 37, 1, 24))
    case("bmp/os2", core + b"".join(rows), "bmp", [PNG])


def icos():
    large = with_alpha(scene(64, 64))
    case("ico/png_entries", saved(large, "ICO", sizes=[(16, 16), (48, 48), (64, 64)]), "ico", [PNG, SMALL])
    case("ico/bmp_entries", saved(large, "ICO", sizes=[(32, 32), (48, 48)], bitmap_format="bmp"), "ico", [PNG])
    case("ico/mask24", converted(large.resize((24, 24)), "-channel", "A", "-threshold", "50%", "+channel", "-colors", "200", "ICO:-"), "ico", [PNG])
    cursor = bytearray(saved(large.resize((32, 32)), "ICO", sizes=[(32, 32)], bitmap_format="bmp"))
    cursor[2] = 2
    cursor[10:14] = (5).to_bytes(2, "little") + (7).to_bytes(2, "little")
    case("ico/cursor", bytes(cursor), "cur", [PNG])


def qois():
    base = scene(57, 33)
    case("qoi/rgb", imagecodecs.qoi_encode(np.asarray(base)), "qoi", [PNG, SMALL])
    case("qoi/rgba", imagecodecs.qoi_encode(np.asarray(with_alpha(base))), "qoi", [PNG, SMALL])


def cjxl(image, *options, suffix="png"):
    """The file that Debian's cjxl (libjxl 0.7) makes."""
    import tempfile, pathlib
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, f"a.{suffix}"), pathlib.Path(folder, "a.jxl")
        source.write_bytes(image)
        subprocess.run(["cjxl", source, target, *options], check=True, capture_output=True)
        return target.read_bytes()


def jxls():
    base = scene(97, 71)
    rgb, rgba = np.asarray(base), np.asarray(with_alpha(base))
    wide = rgb.astype(np.uint16) * 257 + 3
    lossless = dict(lossless=True, effort=4)
    case("jxl/lossy", imagecodecs.jpegxl_encode(rgb, distance=0.5, effort=4), "jxl", [PNG, SMALL])
    case("jxl/lossless", imagecodecs.jpegxl_encode(rgb, **lossless), "jxl", [PNG, SMALL])
    case("jxl/rgba", imagecodecs.jpegxl_encode(rgba, **lossless), "jxl", [PNG, SMALL])
    case("jxl/lossy_rgba", imagecodecs.jpegxl_encode(rgba, distance=0.5, effort=4), "jxl", [PNG])
    case("jxl/grey", imagecodecs.jpegxl_encode(np.asarray(base.convert("L")), **lossless), "jxl", [PNG])
    case("jxl/rgb16", cjxl(imagecodecs.png_encode(wide), "-d", "0", "-e", "4"), "jxl", [PNG, SMALL])
    case("jxl/container", imagecodecs.jpegxl_encode(rgb, usecontainer=True, distance=1, effort=4), "jxl", [PNG])
    case("jxl/from_jpeg", cjxl(saved(base, "JPEG", quality=92), "--lossless_jpeg=1", suffix="jpg"), "jxl", [PNG])
    p3 = profile([(0.68, 0.32), (0.265, 0.69), (0.15, 0.06)], 2.2)
    case("jxl/p3_lossless", cjxl(saved(base, "PNG", icc_profile=p3), "-d", "0", "-e", "4"), "jxl", [PNG])
    case("jxl/p3_lossy", cjxl(saved(base, "PNG", icc_profile=p3), "-d", "0.5", "-e", "4"), "jxl", [PNG])
    case("jxl/progressive", cjxl(saved(base, "PNG"), "-d", "1", "-e", "5", "-p"), "jxl", [PNG])
    case("jxl/responsive", cjxl(saved(base, "PNG"), "-d", "0", "-e", "4", "-R", "1"), "jxl", [PNG])
    text = Image.new("RGB", (160, 120), "white")
    for y in range(0, 120, 12):
        ImageDraw.Draw(text).text((2, y), "abcabcabcabcabcabc " * 2, fill=(0, 0, 80))
    case("jxl/patches", cjxl(saved(text, "PNG"), "-d", "1", "-e", "7"), "jxl", [PNG])
    case("jxl/orientation6", cjxl(saved(base, "JPEG", quality=92, exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"), "--lossless_jpeg=1", suffix="jpg"), "jxl", [PNG, SMALL])
    frames = [Image.fromarray(np.roll(rgb, i * 9, axis=1)) for i in range(3)]
    case("jxl/animated", cjxl(saved(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=80), "-d", "1", "-e", "4"), "jxl", [PNG])


def svgs():
    body = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 80" %s>
<defs><linearGradient id="g"><stop offset="0" stop-color="#f40"/><stop offset="1" stop-color="#04f"/></linearGradient>
<clipPath id="c"><circle cx="90" cy="40" r="22"/></clipPath></defs>
<rect width="120" height="80" fill="#fff8e0"/><rect x="8" y="8" width="50" height="30" rx="6" fill="url(#g)" stroke="#222" stroke-width="3"/>
<path d="M10 70 C 30 40, 50 90, 70 55" fill="none" stroke="#083" stroke-width="4" stroke-linecap="round"/>
<g clip-path="url(#c)"><rect x="60" y="10" width="60" height="60" fill="#92c"/><use href="#star" transform="translate(90 40)"/></g>
<path id="star" d="M0 -14L4 -4L14 -4L6 3L9 13L0 7L-9 13L-6 3L-14 -4L-4 -4Z" fill="#fd0"/></svg>"""
    case("svg/shapes", (body % "").encode(), "svg",
         [PNG, 'resize = { width = 360, enlarge = true }\nformat = "png"', SMALL,
          'resize = { width = 50, height = 50, fit = "cover", position = "right" }\nformat = "png"', 'format = "jpeg"', 'resize = { width = 90 }'])
    case("svg/compressed", gzip.compress((body % 'width="60" height="40"').encode(), mtime=0), "svgz", [PNG])
    picture = base64.b64encode(saved(scene(40, 30), "PNG")).decode()
    case("svg/picture", f'<?xml version="1.0"?><!-- a photo --><svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink" '
         f'width="40" height="30"><script>alert(1)</script><image width="40" height="30" x:href="data:image/png;base64,{picture}"/></svg>'.encode(), "svg", [PNG])
    case("svg/alpha", b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48"><circle cx="32" cy="24" r="20" fill="#c06" opacity=".5"/></svg>',
         "svg", [PNG, 'format = "webp"\nquality = 100', 'format = "gif"'])
    case("svg/text", '<svg xmlns="http://www.w3.org/2000/svg" width="150" height="60"><text x="6" y="24" font-family="Arial" font-size="18">Größe Ω Жук</text>'
         '<text x="6" y="50" font-size="14" fill="#a00">fi 123 %</text></svg>'.encode(), "svg", [PNG])


def prints_in_jxl():
    """Without loss, so that what is expected is the source itself, as Pillow sees it."""
    base = scene(90, 60)
    wide = np.asarray(base).astype(np.uint16) * 257 ^ 1
    for name, image, data in [
        ("prints", base, saved(base, "PNG")), ("prints_alpha", with_alpha(base), saved(with_alpha(base), "PNG")),
        ("prints_grey", base.convert("L").convert("RGB"), saved(base.convert("L"), "PNG")),
        ("prints_16", base, imagecodecs.png_encode(wide)),
    ]:
        case(f"jxl/{name}", data, "png", ['format = "jxl"\nquality = 100'])
        folder = HERE / f"jxl/{name}/expected"
        folder.mkdir(exist_ok=True)
        image.save(folder / "0.png")


def animations():
    """Drawn in few colours, so that GIF can hold them; each frame leaves something out."""
    frames, clear = [], []
    for i in range(4):
        frame = Image.new("RGB", (64, 48), (240, 230, 200))
        ImageDraw.Draw(frame).rectangle((2, 40, 60, 44), fill=(20, 90, 160))
        ImageDraw.Draw(frame).ellipse((i * 10, 8, i * 10 + 24, 36), fill=(250 - i * 60, i * 70, 90))
        frames.append(frame)
        frame = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
        ImageDraw.Draw(frame).ellipse((i * 10, 8, i * 10 + 24, 36), fill=(250 - i * 60, i * 70, 90, 255 if i % 2 else 130))
        clear.append(frame)
    options = dict(save_all=True, duration=[40, 80, 120, 700], loop=3)
    every = [PNG, 'format = "webp"\nquality = 100', 'format = "gif"', 'resize = { width = 32 }\nformat = "webp"\nquality = 100',
             'pixelate = { cells = 5 }\nformat = "png"', 'format = "jpeg"']
    whole = [PNG, 'format = "webp"\nquality = 100']
    case("animation/webp", saved(frames[0], "WEBP", append_images=frames[1:], lossless=True, **options), "webp", every)
    case("animation/webp_alpha", saved(clear[0], "WEBP", append_images=clear[1:], lossless=True, **options), "webp", every)
    case("animation/webp_lossy", saved(frames[0], "WEBP", append_images=frames[1:], quality=90, **options), "webp", whole)
    case("animation/apng", saved(frames[0], "PNG", append_images=frames[1:], **options), "png", every)
    case("animation/apng_alpha", saved(clear[0], "PNG", append_images=clear[1:], **options), "png", every)
    case("animation/apng_grey", saved(frames[0].convert("L"), "PNG", append_images=[f.convert("L") for f in frames[1:]], **options), "png", whole)
    for disposal in (0, 1, 2):
        for blend in (0, 1):
            case(f"animation/apng_dispose{disposal}_blend{blend}",
                 saved(clear[0], "PNG", append_images=clear[1:], disposal=disposal, blend=blend, **options), "png", whole)
    case("animation/apng_default_image", saved(Image.new("RGB", (64, 48), "red"), "PNG", append_images=frames, default_image=True, **options), "png", whole)
    case("animation/gif", saved(frames[0], "GIF", append_images=frames[1:], **options), "gif", every)
    p3 = profile([(0.68, 0.32), (0.265, 0.69), (0.15, 0.06)], 2.2)
    case("animation/webp_p3", saved(frames[0], "WEBP", append_images=frames[1:], lossless=True, icc_profile=p3, **options), "webp", whole)


if __name__ == "__main__":
    tiffs()
    bmps()
    icos()
    qois()
    jxls()
    animations()
    svgs()
    prints_in_jxl()
