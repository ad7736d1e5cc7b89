//! Pixelation of a part: a face, a number plate.

use crate::geometry::Rectangle;
use crate::mosaic::{Grid, Model, Mosaic};
use crate::picture::{Layout, Picture, Sample};

/// The picture with a mosaic of `region`, which lies within it, in its place.
///
/// The cells' colours come from the region alone, so that nothing beside it
/// mixes in, and are of 8 bits whatever the picture has: what is hidden has no
/// detail to keep.
pub fn pixelated<S: Sample>(mut picture: Picture<S>, region: Rectangle, grid: Grid) -> Picture<S> {
    let model = match picture.layout {
        Layout::Grey => Model::Gray,
        Layout::Rgb => Model::Rgb,
        Layout::Rgba => Model::Rgba,
    };
    let part = picture.cut(region.x, region.y, region.size).narrowed();
    let size = (region.size.width, region.size.height);
    let mosaic = Mosaic::from_pixels(&part.pixels, size, model, grid);
    let channels = picture.layout.channels();
    let stride = picture.size.width as usize * channels;
    let start = region.x as usize * channels;
    let length = region.size.width as usize * channels;
    let mut rows = picture.pixels.chunks_exact_mut(stride).skip(region.y as usize);
    for (cells, times) in mosaic.pixel_rows() {
        for row in rows.by_ref().take(times as usize) {
            for (sample, &cell) in row[start..start + length].iter_mut().zip(&cells) {
                *sample = S::widened(cell);
            }
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;
    use std::num::NonZeroU32;

    #[test]
    fn only_the_region_changes_and_only_from_itself() {
        let grid = Grid::Block(NonZeroU32::new(2).unwrap());
        let pixels: Vec<u16> = (0..25).map(|i| u16::widened(i * 10)).collect();
        let picture = Picture::new(Size::new(5, 5), Layout::Grey, pixels.clone());
        let region = Rectangle { x: 1, y: 2, size: Size::new(3, 2) };
        let hidden = pixelated(picture, region, grid);
        let mean = u16::widened(((110 + 120 + 160 + 170) / 4) as u8);
        let edge = u16::widened(155);
        for (at, (&before, &after)) in pixels.iter().zip(&hidden.pixels).enumerate() {
            let wanted = match at {
                11 | 12 | 16 | 17 => mean,
                13 | 18 => edge,
                _ => before,
            };
            assert_eq!(after, wanted, "pixel {at}");
        }
    }

    #[test]
    fn the_whole_picture_is_a_region_too() {
        let grid = Grid::Cells(NonZeroU32::new(1).unwrap());
        let picture = Picture::new(Size::new(2, 2), Layout::Rgba, [9_u8, 8, 7, 255].repeat(4));
        let region = Rectangle { x: 0, y: 0, size: picture.size };
        assert_eq!(pixelated(picture.clone(), region, grid), picture);
    }
}
