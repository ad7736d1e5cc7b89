//! What changed between two frames of an animation.

use crate::geometry::Size;

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// The smallest rectangle outside of which two RGBA canvases of `size` are the
/// same; of two that are the same throughout, the first pixel, since a frame
/// has at least one.
pub(super) fn changed(before: &[u8], after: &[u8], size: Size) -> Area {
    let stride = size.width as usize * 4;
    let rows = || before.chunks_exact(stride).zip(after.chunks_exact(stride));
    let Some(top) = rows().position(|(a, b)| a != b) else {
        return Area { x: 0, y: 0, width: 1, height: 1 };
    };
    let bottom = rows().rposition(|(a, b)| a != b).unwrap_or(top);
    let (mut left, mut right) = (stride, 0);
    for (a, b) in rows().skip(top).take(bottom + 1 - top) {
        if let Some(first) = a.iter().zip(b).position(|(a, b)| a != b) {
            let last = a.iter().zip(b).rposition(|(a, b)| a != b).unwrap_or(first);
            left = left.min(first / 4);
            right = right.max(last / 4);
        }
    }
    Area { x: left, y: top, width: right + 1 - left, height: bottom + 1 - top }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_rectangle_is_found() {
        let size = Size::new(4, 3);
        let before = vec![7; 48];
        let mut after = before.clone();
        assert_eq!(changed(&before, &after, size), Area { x: 0, y: 0, width: 1, height: 1 });
        after[(4 + 1) * 4 + 2] = 0;
        assert_eq!(changed(&before, &after, size), Area { x: 1, y: 1, width: 1, height: 1 });
        after[(2 * 4 + 3) * 4] = 0;
        assert_eq!(changed(&before, &after, size), Area { x: 1, y: 1, width: 3, height: 2 });
    }
}
