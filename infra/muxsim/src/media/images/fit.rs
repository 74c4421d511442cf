//! How a picture of one shape gets into a box of another.

use serde::{Deserialize, Serialize};

use super::super::ladder::scaled;

/// Longest side of an image that is made, in pixels; above, the box is taken to be so long.
const MAX_SIDE: u32 = 8192;

/// Mux's `fit_mode` (mux.com/docs/guides/get-images-from-a-video). Where only one side of the box is
/// given, the shape of the film gives the other, and all of these are the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fit {
    /// As large as the box allows, in its own shape.
    #[default]
    Preserve,
    /// Fills the box, whatever becomes of its shape.
    Stretch,
    /// Fills the box in its own shape; what is outside is cut off on both sides.
    Crop,
    /// The same as [`Self::Crop`] here. Mux centres what it finds interesting.
    SmartCrop,
    /// As [`Self::Preserve`], the rest of the box being black.
    Pad,
}

impl Fit {
    /// ffmpeg's filters that bring a picture of `size` into the box.
    pub(super) fn filters(
        self,
        size: (u32, u32),
        width: Option<u32>,
        height: Option<u32>,
    ) -> String {
        let bounded = |asked: Option<u32>| asked.map(|it| it.clamp(1, MAX_SIDE));
        let (Some(width), Some(height)) = (bounded(width), bounded(height)) else {
            let (width, height) = free(size, bounded(width), bounded(height));
            return format!("scale={width}:{height}");
        };
        let filled = format!("{width}:{height}");
        match self {
            Self::Preserve => {
                let (width, height) = inside(size, (width, height));
                format!("scale={width}:{height}")
            }
            Self::Stretch => format!("scale={filled}"),
            Self::Crop | Self::SmartCrop => {
                let (wide, high) = around(size, (width, height));
                format!("scale={wide}:{high},crop={filled}")
            }
            Self::Pad => {
                let (wide, high) = inside(size, (width, height));
                format!("scale={wide}:{high},pad={filled}:(ow-iw)/2:(oh-ih)/2:black")
            }
        }
    }
}

/// The size for a box of which at most one side is given.
fn free((width, height): (u32, u32), wide: Option<u32>, high: Option<u32>) -> (u32, u32) {
    let (wide, high) = match (wide, high) {
        (None, None) => (width, height),
        (wide, high) => (wide.unwrap_or(MAX_SIDE), high.unwrap_or(MAX_SIDE)),
    };
    inside((width, height), (wide.min(MAX_SIDE), high.min(MAX_SIDE)))
}

/// The largest size of the shape of `size` that fits into the box.
fn inside((width, height): (u32, u32), (wide, high): (u32, u32)) -> (u32, u32) {
    if is_wider((width, height), (wide, high)) {
        return (wide, scaled(wide, height, width).clamp(1, high));
    }
    (scaled(high, width, height).clamp(1, wide), high)
}

/// The smallest size of the shape of `size` that covers the box.
fn around((width, height): (u32, u32), (wide, high): (u32, u32)) -> (u32, u32) {
    if is_wider((width, height), (wide, high)) {
        return (scaled(high, width, height).max(wide), high);
    }
    (wide, scaled(wide, height, width).max(high))
}

fn is_wider((width, height): (u32, u32), (wide, high): (u32, u32)) -> bool {
    u64::from(width) * u64::from(high) >= u64::from(wide) * u64::from(height)
}

#[cfg(test)]
mod tests {
    use super::Fit;

    const FILM: (u32, u32) = (1920, 1080);

    #[test]
    fn modes_are_named_as_mux_names_them() {
        let modes = [
            Fit::Preserve,
            Fit::Stretch,
            Fit::Crop,
            Fit::SmartCrop,
            Fit::Pad,
        ];
        let names = serde_json::to_string(&modes).unwrap();
        assert_eq!(names, r#"["preserve","stretch","crop","smartcrop","pad"]"#);
    }

    #[test]
    fn a_box_is_filled_as_its_mode_says() {
        let square = |fit: Fit| fit.filters(FILM, Some(100), Some(100));
        assert_eq!(square(Fit::Preserve), "scale=100:56");
        assert_eq!(square(Fit::Stretch), "scale=100:100");
        assert_eq!(square(Fit::Crop), "scale=178:100,crop=100:100");
        assert_eq!(square(Fit::SmartCrop), square(Fit::Crop));
        let padded = "scale=100:56,pad=100:100:(ow-iw)/2:(oh-ih)/2:black";
        assert_eq!(square(Fit::Pad), padded);
        let upright = Fit::Crop.filters((1080, 1920), Some(100), Some(100));
        assert_eq!(upright, "scale=100:178,crop=100:100");
    }

    #[test]
    fn a_side_that_is_not_given_follows_the_shape() {
        for fit in [Fit::Preserve, Fit::Stretch, Fit::Crop, Fit::Pad] {
            assert_eq!(fit.filters(FILM, Some(640), None), "scale=640:360");
            assert_eq!(fit.filters(FILM, None, Some(360)), "scale=640:360");
            assert_eq!(fit.filters(FILM, None, None), "scale=1920:1080");
        }
    }

    #[test]
    fn sizes_have_bounds() {
        let none = Fit::Stretch.filters(FILM, Some(0), Some(u32::MAX));
        assert_eq!(none, "scale=1:8192");
        let line = Fit::Preserve.filters((8000, 2), Some(10), None);
        assert_eq!(line, "scale=10:1");
    }
}
