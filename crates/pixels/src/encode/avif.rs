//! AVIF over rav1e, which is Rust: 8 bits of 8, 10 bits of 16. The file around
//! its data is written by `heif`.
//!
//! Colour is full-range BT.601 (matrix 6 of ITU-T H.273) of sRGB, so that the
//! planes of a JPEG need no RGB between them and the encoder. A picture is cut
//! into as many tiles as its size asks for: the same bytes whatever the threads.

use crate::Error;
use crate::geometry::{CropBox, Subsampling};
use crate::heif::cicp::Cicp;
use crate::heif::write::Avif;
use crate::jpeg::subsampling_for;
use crate::metadata::Attached;
use crate::picture::{Depth, Layout, Picture, Sample};
use crate::planes::Planes;
use rav1e::prelude::{
    BlockSize, ChromaSampling, ColorDescription, ColorPrimaries, Config, Context, EncoderConfig,
    EncoderStatus, Frame, MatrixCoefficients, PartitionRange, PixelRange, Rational, SceneDetectionSpeed,
    SegmentationLevel, SpeedSettings, TransferCharacteristics, Tune,
};

/// Chroma is whole from this quality on: [`subsampling_for`].
const WHOLE_CHROMA: u8 = 90;

const SRGB: Cicp = Cicp { primaries: 1, transfer: 13, matrix: 6, full_range: true };

/// How a print is to be encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings<'a> {
    /// 1 to 100, on libaom's scale: its quantizer falls by 2.55 for each.
    pub(crate) quality: u8,
    pub(crate) chroma: Subsampling,
    /// 0, the fastest, to 9, the smallest.
    pub(crate) effort: u8,
    /// The profile of the samples; without one they are sRGB.
    pub(crate) icc: Option<&'a [u8]>,
    /// A TIFF structure, without `Exif\0\0`.
    pub(crate) exif: Option<&'a [u8]>,
    pub(crate) xmp: Option<&'a [u8]>,
    /// At most so many threads, at least 1.
    pub(crate) threads: usize,
}

/// From so many pixels on, two threads share a picture.
const SHARED: usize = 200_000;

/// The effort where none is asked for.
const EFFORT: u8 = 4;

impl<'a> Settings<'a> {
    /// Those of a print with `attached`.
    pub(crate) fn of(quality: u8, effort: Option<u8>, attached: &'a Attached, threads: usize) -> Self {
        Self {
            quality,
            chroma: subsampling_for(quality),
            effort: effort.unwrap_or(EFFORT),
            icc: attached.icc.as_deref(),
            exif: attached.exif.as_deref(),
            xmp: attached.xmp.as_deref(),
            threads: threads.max(1),
        }
    }

    /// rav1e's quantizer, 255 the coarsest. 0 would be without loss, which it
    /// cannot.
    fn quantizer(quality: u8) -> usize {
        let coarse = 100 - usize::from(quality.clamp(1, 100));
        ((coarse * 255 + 50) / 100).max(1)
    }

    /// Alpha shows its faults sooner than colour.
    fn alpha_quality(quality: u8) -> u8 {
        quality.midpoint(100)
    }

    /// rav1e's tools. Measured on three photos 1,280 wide at 4:2:0 and 78 points of
    /// SSIMULACRA2, processor time and bytes at an equal score beside preset 8 with
    /// blocks of 4 to 64: without the directions between the main ones 71 % of the
    /// time and 1.7 % more bytes; with blocks from 8 on besides 67 % and 1.8 %;
    /// with blocks of 16 to 32 43 % and 5.7 %; with blocks of 32 28 % and 13 %.
    /// Counting bits from coefficients, without coding each try, and leaving out the
    /// directional filter takes 65 % of that again, for 3 to 4 % more bytes at
    /// qualities of 60 and above, 6 to 10 % at 20 to 40; for other blocks 14 %.
    /// Rejected there: tuning for PSNR, without segments, 94 % of the whole job's time
    /// for 2 to 4 % more bytes at an equal score of 70 and above, 4 to 7 % below.
    /// Deciding transforms by rate and distortion takes 2.7 times as long for 3 %
    /// fewer bytes: `EFFORT` is the last before that.
    fn speed(&self) -> SpeedSettings {
        let (preset, smallest, largest) = match self.effort {
            0 | 1 => (10, BlockSize::BLOCK_32X32, BlockSize::BLOCK_32X32),
            2 | 3 => (9, BlockSize::BLOCK_16X16, BlockSize::BLOCK_32X32),
            4 | 5 => (8, BlockSize::BLOCK_8X8, BlockSize::BLOCK_64X64),
            6 | 7 => (8, BlockSize::BLOCK_4X4, BlockSize::BLOCK_64X64),
            _ => (6, BlockSize::BLOCK_4X4, BlockSize::BLOCK_64X64),
        };
        let mut speed = SpeedSettings::from_preset(preset);
        // There is one frame, and none to compare it with.
        speed.multiref = false;
        speed.rdo_lookahead_frames = 1;
        speed.scene_detection_mode = SceneDetectionSpeed::None;
        speed.motion.include_near_mvs = false;
        speed.partition.partition_range = PartitionRange::new(smallest, largest);
        speed.prediction.fine_directional_intra = self.effort >= 6;
        speed.transform.tx_domain_rate = self.effort < 2;
        speed.cdef = self.effort >= 2;
        if self.effort >= 6 {
            speed.transform.rdo_tx_decision = true;
            speed.transform.reduced_tx_set = false;
        }
        if self.effort >= 8 {
            speed.segmentation = SegmentationLevel::Complex;
        }
        speed
    }
}

/// Encodes sRGB pixels.
pub(crate) fn encode<S: Sample>(picture: &Picture<S>, settings: &Settings<'_>) -> Result<Vec<u8>, Error> {
    let (width, height) = (picture.size.width, picture.size.height);
    match S::DEPTH {
        Depth::Eight => finish::<u8>((width, height), 8, settings, picture),
        Depth::Sixteen => finish::<u16>((width, height), 10, settings, picture),
    }
}

/// Encodes planes as they are.
pub(crate) fn encode_planes(planes: &Planes, settings: &Settings<'_>) -> Result<Vec<u8>, Error> {
    let (width, height) = (planes.width(), planes.height());
    let wanted = settings.chroma;
    let resampled;
    let planes = match planes.subsampling() {
        Subsampling::Gray => planes,
        same if same == wanted => planes,
        _ => {
            let whole = CropBox::whole(width, height);
            resampled = planes.resized(whole, (width, height), wanted, (false, false), 1)?;
            &resampled
        }
    };
    finish::<u8>((width, height), 8, settings, planes)
}

/// What the frames of an encoder are filled from.
trait Samples {
    fn has_chroma(&self) -> bool;
    fn has_alpha(&self) -> bool;
    /// Fills luma and, where the frame has it, chroma; `halved` tells its size.
    fn colour<P: Stored>(&self, frame: &mut Frame<P>, depth: usize, halved: bool);
    /// Fills luma with what covers.
    fn alpha<P: Stored>(&self, frame: &mut Frame<P>, depth: usize);
}

/// A sample in a frame.
trait Stored: rav1e::Pixel {
    fn of(sample: u16) -> Self;
}

impl Stored for u8 {
    fn of(sample: u16) -> Self {
        sample as Self
    }
}

impl Stored for u16 {
    fn of(sample: u16) -> Self {
        sample
    }
}

fn finish<P: Stored>(
    (width, height): (u32, u32),
    depth: usize,
    settings: &Settings<'_>,
    samples: &impl Samples,
) -> Result<Vec<u8>, Error> {
    let halved = settings.chroma != Subsampling::S444;
    let chroma = match (samples.has_chroma(), halved) {
        (false, _) => ChromaSampling::Cs400,
        (true, true) => ChromaSampling::Cs420,
        (true, false) => ChromaSampling::Cs444,
    };
    let size = (width as usize, height as usize);
    let coded = |chroma, quality, fill: &dyn Fn(&mut Frame<P>)| {
        coded::<P>(size, depth, chroma, Settings::quantizer(quality), settings, fill)
    };
    let colour = coded(chroma, settings.quality, &|frame| samples.colour(frame, depth, halved))?;
    let alpha = if samples.has_alpha() {
        let quality = Settings::alpha_quality(settings.quality);
        Some(coded(ChromaSampling::Cs400, quality, &|frame| samples.alpha(frame, depth))?)
    } else {
        None
    };
    let file = Avif {
        width,
        height,
        colour: &colour,
        alpha: alpha.as_deref(),
        cicp: SRGB,
        icc: settings.icc,
        exif: settings.exif,
        xmp: settings.xmp,
    };
    file.write().ok_or_else(|| failed("it gave no sequence header"))
}

fn failed(detail: impl Into<Box<dyn std::error::Error>>) -> Error {
    Error::Codec { format: "AVIF", detail: detail.into().to_string() }
}

/// One key frame, with the sequence header before it.
fn coded<P: Stored>(
    (width, height): (usize, usize),
    bit_depth: usize,
    chroma_sampling: ChromaSampling,
    quantizer: usize,
    settings: &Settings<'_>,
    fill: &dyn Fn(&mut Frame<P>),
) -> Result<Vec<u8>, Error> {
    let encoder = EncoderConfig {
        width,
        height,
        time_base: Rational::new(1, 1),
        bit_depth,
        chroma_sampling,
        pixel_range: PixelRange::Full,
        color_description: Some(ColorDescription {
            color_primaries: ColorPrimaries::BT709,
            transfer_characteristics: TransferCharacteristics::SRGB,
            matrix_coefficients: MatrixCoefficients::BT601,
        }),
        still_picture: true,
        min_key_frame_interval: 0,
        max_key_frame_interval: 0,
        quantizer,
        min_quantizer: quantizer as u8,
        tune: Tune::Psychovisual,
        tile_cols: 0,
        tile_rows: 0,
        tiles: tiles(width, height),
        speed_settings: settings.speed(),
        ..EncoderConfig::default()
    };
    let config = Config::new().with_encoder_config(encoder).with_threads(settings.threads);
    let mut context: Context<P> = config.new_context().map_err(failed)?;
    let mut frame = context.new_frame();
    fill(&mut frame);
    context.send_frame(frame).map_err(failed)?;
    context.flush();
    let mut data = Vec::new();
    loop {
        match context.receive_packet() {
            Ok(packet) => data.extend(packet.data),
            Err(EncoderStatus::Encoded) => {}
            Err(EncoderStatus::LimitReached) => return Ok(data),
            Err(status) => return Err(failed(status)),
        }
    }
}

/// How many tiles, each of which a thread can encode, make up a picture: a small
/// one is quick in any case, and a tile costs bytes, for it knows nothing of its
/// neighbour. Four or eight of them keep two threads no busier.
fn tiles(width: usize, height: usize) -> usize {
    if width * height < SHARED { 1 } else { 2 }
}

/// Rows of plane `index` of `frame`, each at least as long as its columns.
fn rows<P: Stored>(frame: &mut Frame<P>, index: usize) -> impl Iterator<Item = &mut [P]> {
    let plane = &mut frame.planes[index];
    let stride = plane.cfg.stride;
    plane.data_origin_mut().chunks_mut(stride)
}

impl<S: Sample> Samples for Picture<S> {
    fn has_chroma(&self) -> bool {
        self.layout != Layout::Grey
    }

    fn has_alpha(&self) -> bool {
        self.layout == Layout::Rgba
    }

    /// Chroma of half the size is the mean of the pixels that it stands for.
    fn colour<P: Stored>(&self, frame: &mut Frame<P>, depth: usize, halved: bool) {
        let (width, channels) = (self.size.width as usize, self.layout.channels());
        let most = ((1_u32 << depth) - 1) as f32;
        let scale = most / S::MAX as f32;
        let middle = (1_u32 << (depth - 1)) as f32;
        let stored = |value: f32| P::of((value + 0.5).clamp(0.0, most) as u16);
        let [luma, rest @ ..] = &mut frame.planes[..] else { return };
        let stride = luma.cfg.stride;
        let mut luma = luma.data_origin_mut().chunks_mut(stride);
        if self.layout == Layout::Grey {
            for (row, out) in self.pixels.chunks_exact(width).zip(luma) {
                for (&sample, out) in row.iter().zip(out) {
                    *out = stored(sample.into() as f32 * scale);
                }
            }
            return;
        }
        let [cb, cr] = rest else { return };
        let (cb_stride, cr_stride) = (cb.cfg.stride, cr.cfg.stride);
        let (cb, cr) = (cb.data_origin_mut(), cr.data_origin_mut());
        let step = if halved { 2 } else { 1 };
        let mut sums = vec![[0.0_f32; 3]; width.div_ceil(step)];
        let pairs = self.pixels.chunks(width * channels * step);
        for ((group, cb), cr) in pairs.zip(cb.chunks_mut(cb_stride)).zip(cr.chunks_mut(cr_stride)) {
            sums.fill([0.0; 3]);
            for row in group.chunks_exact(width * channels) {
                let Some(out) = luma.next() else { return };
                for (x, (pixel, out)) in row.chunks_exact(channels).zip(out).enumerate() {
                    let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(|v| v.into() as f32 * scale);
                    let y = 0.299 * r + 0.587 * g + 0.114 * b;
                    *out = stored(y);
                    let sum = &mut sums[x / step];
                    sum[0] += (b - y) / 1.772;
                    sum[1] += (r - y) / 1.402;
                    sum[2] += 1.0;
                }
            }
            for ((&[blue, red, count], cb), cr) in sums.iter().zip(cb).zip(cr) {
                *cb = stored(blue / count + middle);
                *cr = stored(red / count + middle);
            }
        }
    }

    fn alpha<P: Stored>(&self, frame: &mut Frame<P>, depth: usize) {
        let most = (1_u32 << depth) - 1;
        let rows = rows(frame, 0);
        for (row, out) in self.pixels.chunks_exact(self.size.width as usize * 4).zip(rows) {
            for (pixel, out) in row.chunks_exact(4).zip(out) {
                let cover: u32 = pixel[3].into();
                *out = P::of(((cover * most + S::MAX / 2) / S::MAX) as u16);
            }
        }
    }
}

impl Samples for Planes {
    fn has_chroma(&self) -> bool {
        self.subsampling() != Subsampling::Gray
    }

    fn has_alpha(&self) -> bool {
        false
    }

    fn colour<P: Stored>(&self, frame: &mut Frame<P>, _: usize, _: bool) {
        for index in 0..self.subsampling().planes() {
            let plane = self.plane(index);
            for (y, out) in (0..plane.height).zip(rows(frame, index)) {
                for (&sample, out) in plane.row(y).iter().zip(out) {
                    *out = P::of(sample.into());
                }
            }
        }
    }

    fn alpha<P: Stored>(&self, _: &mut Frame<P>, _: usize) {}
}

/// Bytes that [`encode`] takes beside the picture given to it, the file
/// included, with at most this chroma and quality. Measured; see the tests. With whole chroma
/// rav1e's symbols are most of it: noise takes 110 bytes a pixel at quality 90,
/// 145 at 95, 220 at 100.
pub(crate) fn memory(pixels: u64, layout: Layout, (chroma, quality): (Subsampling, u8)) -> u64 {
    let bytes = match (layout, chroma, quality) {
        (Layout::Grey, _, ..WHOLE_CHROMA) => 32,
        (_, Subsampling::S444, ..=WHOLE_CHROMA) => 120,
        // Alpha is a picture of its own, in work at the same time: 85 on noise of 6 megapixels.
        (Layout::Rgba, _, ..WHOLE_CHROMA) => 90,
        (_, _, ..WHOLE_CHROMA) => 50,
        (_, _, ..=95) => 160,
        _ => 240,
    };
    pixels * bytes + (8 << 20)
}
