//! Reads the golden corpus and shows prints as plain RGBA.

use minilab_imaging::recipe::Format;
use minilab_imaging::{Limits, Recipe, Rendition, render};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// One case.
pub(crate) struct Case {
    /// `<area>/<case>`.
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) input: Vec<u8>,
    pub(crate) recipe: String,
    /// Largest and mean difference of samples that pass.
    pub(crate) tolerance: (u8, f64),
}

/// The part of a recipe before its outputs.
pub(crate) fn head() -> String {
    "[source]\nbucket = \"golden-source\"\n[processed]\nbucket = \"golden-processed\"\n".to_owned()
}

/// Every case, by name.
pub(crate) fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let mut cases = Vec::new();
    for area in folders(&root) {
        for folder in folders(&area) {
            let input = fs::read_dir(&folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .find(|path| path.file_stem().is_some_and(|stem| stem == "input"))
                .unwrap_or_else(|| panic!("{}: no input", folder.display()));
            let name = folder.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let tolerance = fs::read_to_string(folder.join("tolerance")).ok().map_or((2, 0.1), |text| {
                let (max, mean) = text.trim().split_once(' ').expect("max and mean");
                (max.parse().unwrap(), mean.parse().unwrap())
            });
            cases.push(Case {
                name,
                input: fs::read(input).unwrap(),
                recipe: fs::read_to_string(folder.join("recipe.toml")).unwrap(),
                folder,
                tolerance,
            });
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() && !path.ends_with("expected"))
        .collect()
}

/// Whether the golden prints are to be written anew.
pub(crate) fn blessing() -> bool {
    std::env::var("MINILAB_BLESS").is_ok_and(|v| v == "1")
}

/// A print as it is seen; the frames of an animation below one another.
#[derive(Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) rgba: Vec<u8>,
}

impl Shown {
    pub(crate) fn of(print: &Rendition) -> Self {
        match print.format {
            Format::Png => Self::from_png(&print.bytes),
            Format::Gif => Self::from_gif(&print.bytes),
            _ => {
                let recipe = head() + "[[output]]\nkey = \"{stem}.{ext}\"\nformat = \"png\"\n";
                let png = Mutex::new(Vec::new());
                render(&print.bytes, "x", &Recipe::parse(&recipe).unwrap(), &Limits::default(), &|again| {
                    *png.lock().unwrap() = again.bytes;
                })
                .unwrap();
                Self::from_png(&png.into_inner().unwrap())
            }
        }
    }

    pub(crate) fn load(path: &Path) -> Self {
        Self::from_png(&fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
    }

    pub(crate) fn save(&self, path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, self.width, self.height);
        encoder.set_compression(png::Compression::High);
        encoder.set_depth(png::BitDepth::Eight);
        let opaque = self.rgba.chunks_exact(4).all(|p| p[3] == 255);
        encoder.set_color(if opaque { png::ColorType::Rgb } else { png::ColorType::Rgba });
        let mut writer = encoder.write_header().unwrap();
        if opaque {
            let rgb: Vec<u8> = self.rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
            writer.write_image_data(&rgb).unwrap();
        } else {
            writer.write_image_data(&self.rgba).unwrap();
        }
        writer.finish().unwrap();
        fs::write(path, out).unwrap();
    }

    fn from_png(bytes: &[u8]) -> Self {
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let (width, height) = (reader.info().width, reader.info().height);
        let mut stack = Stack::new(width, height);
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        for _ in 0..reader.info().animation_control.map_or(1, |control| control.num_frames) {
            let info = reader.next_frame(&mut pixels).unwrap();
            let mut drawn = pixels[..info.line_size * info.height as usize].to_vec();
            if info.bit_depth == png::BitDepth::Sixteen {
                // To the nearest, which the decoder's own transformation does not do.
                let wide = drawn.chunks_exact(2).map(|b| u32::from(u16::from_be_bytes([b[0], b[1]])));
                drawn = wide.map(|v| ((v * 255 + 32_767) / 65_535) as u8).collect();
            }
            let rgba: Vec<u8> = match info.color_type {
                png::ColorType::Grayscale => drawn.iter().flat_map(|&v| [v, v, v, 255]).collect(),
                png::ColorType::Rgb => drawn.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect(),
                png::ColorType::Rgba => drawn,
                other => panic!("a print in {other:?}"),
            };
            let at = reader.info().frame_control.map_or((0, 0), |control| {
                assert_eq!(control.blend_op, png::BlendOp::Source, "prints are not blended");
                assert_eq!(control.dispose_op, png::DisposeOp::None, "prints are left as they are");
                (control.x_offset, control.y_offset)
            });
            stack.draw(&rgba, at, info.width, |_| true);
            stack.show();
        }
        stack.shown()
    }

    fn from_gif(bytes: &[u8]) -> Self {
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(bytes).unwrap();
        let mut stack = Stack::new(decoder.width().into(), decoder.height().into());
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            stack
                .draw(&frame.buffer, (frame.left.into(), frame.top.into()), frame.width.into(), |p| p[3] > 0);
            stack.show();
            match frame.dispose {
                gif::DisposalMethod::Background => stack.canvas.fill(0),
                gif::DisposalMethod::Keep => {}
                other => panic!("a print that disposes by {other:?}"),
            }
        }
        stack.shown()
    }

    /// What is wrong with `other`, colour weighed by alpha.
    pub(crate) fn differs(&self, other: &Self, (max, mean): (u8, f64)) -> Option<String> {
        if (self.width, self.height) != (other.width, other.height) {
            return Some(format!("{}x{} is {}x{}", self.width, self.height, other.width, other.height));
        }
        let seen = |rgba: &[u8]| -> Vec<u8> {
            let mut out = Vec::with_capacity(rgba.len());
            for p in rgba.chunks_exact(4) {
                let weighed = |v: u8| (u32::from(v) * u32::from(p[3]) / 255) as u8;
                out.extend([weighed(p[0]), weighed(p[1]), weighed(p[2]), p[3]]);
            }
            out
        };
        let (a, b) = (seen(&self.rgba), seen(&other.rgba));
        let worst = a.iter().zip(&b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
        let sum: u64 = a.iter().zip(&b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let average = sum as f64 / a.len() as f64;
        (worst > max || average > mean).then(|| format!("differs by up to {worst}, {average:.3} on average"))
    }
}

/// The frames of an animation as they are seen, one below the other.
struct Stack {
    width: u32,
    canvas: Vec<u8>,
    rgba: Vec<u8>,
}

impl Stack {
    fn new(width: u32, height: u32) -> Self {
        Self { width, canvas: vec![0; width as usize * height as usize * 4], rgba: Vec::new() }
    }

    fn draw(&mut self, rgba: &[u8], (x, y): (u32, u32), width: u32, seen: impl Fn(&[u8]) -> bool) {
        for (row, drawn) in rgba.chunks_exact(width as usize * 4).enumerate() {
            let start = ((y as usize + row) * self.width as usize + x as usize) * 4;
            let target = &mut self.canvas[start..start + drawn.len()];
            for (to, from) in target.chunks_exact_mut(4).zip(drawn.chunks_exact(4)) {
                if seen(from) {
                    to.copy_from_slice(from);
                }
            }
        }
    }

    fn show(&mut self) {
        self.rgba.extend_from_slice(&self.canvas);
    }

    fn shown(self) -> Shown {
        Shown { width: self.width, height: self.rgba.len() as u32 / 4 / self.width, rgba: self.rgba }
    }
}
