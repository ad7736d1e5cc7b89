//! sRGB's transfer function (IEC 61966-2-1) by table, from encoded samples to
//! linear light and back.

use crate::picture::{Depth, Sample};
use std::marker::PhantomData;

/// Linear light, from 0 to 1, of an encoded value from 0 to 1.
pub(crate) fn linear(encoded: f64) -> f64 {
    if encoded <= 0.040_45 { encoded / 12.92 } else { ((encoded + 0.055) / 1.055).powf(2.4) }
}

/// The encoded value, from 0 to 1, of linear light from 0 to 1.
pub(crate) fn encoded(light: f64) -> f64 {
    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

/// Both directions for samples of one depth.
pub(crate) struct Transfer<S> {
    to_light: Vec<f32>,
    from_light: Vec<f32>,
    /// Steps of light from 0 to 1.
    steps: f32,
    depth: PhantomData<S>,
}

impl<S: Sample> Transfer<S> {
    pub(crate) fn new() -> Self {
        let most = f64::from(S::MAX);
        // What interpolation loses is below a hundredth of a sample.
        let steps = if S::DEPTH == Depth::Eight { 1 << 12 } else { 1 << 16 };
        Self {
            to_light: (0..=S::MAX).map(|sample| linear(f64::from(sample) / most) as f32).collect(),
            // One entry more than steps, so that interpolation has a neighbour.
            from_light: (0..=steps + 1)
                .map(|step| (encoded((f64::from(step) / f64::from(steps)).min(1.0)) * most) as f32)
                .collect(),
            steps: steps as f32,
            depth: PhantomData,
        }
    }

    /// Linear light from 0 to 1.
    pub(crate) fn linear(&self, sample: S) -> f32 {
        let index: u32 = sample.into();
        self.to_light[index as usize]
    }

    /// The sample nearest to `light`, cut off below 0 and above 1.
    pub(crate) fn encoded(&self, light: f32) -> S {
        let at = light.clamp(0.0, 1.0) * self.steps;
        let step = at as usize;
        let (below, above) = (self.from_light[step], self.from_light[step + 1]);
        let value = below + (above - below) * (at - step as f32);
        S::from_u32((value + 0.5) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_survives_the_way_to_light_and_back() {
        let eight = Transfer::<u8>::new();
        assert!((0..=255).all(|sample: u8| eight.encoded(eight.linear(sample)) == sample));
        let sixteen = Transfer::<u16>::new();
        assert!((0..=65_535).all(|sample: u16| sixteen.encoded(sixteen.linear(sample)) == sample));
    }

    #[test]
    fn half_of_the_light_is_187_and_excess_is_cut_off() {
        let transfer = Transfer::<u8>::new();
        assert_eq!(transfer.encoded(0.5), 188);
        assert_eq!((transfer.encoded(-1.0), transfer.encoded(7.0), transfer.encoded(f32::NAN)), (0, 255, 0));
    }
}
