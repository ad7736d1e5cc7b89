//! The bundled photographs, so that `minilab demo` needs nothing but itself.
//! Authors and licences: examples/photos/CREDITS.md.

macro_rules! samples {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../../examples/photos/", $name)))),+]
    };
}

/// File name and bytes.
pub(crate) const SAMPLES: &[(&str, &[u8])] = samples![
    "Otoño en Aitzgorri.jpg",
    "Picos de Europa + snow.jpg",
    "dandelion-zoom.gif",
    "dandelions.jpg",
    "dogs at the window.jpg",
    "dragonfly-12mp.jpg",
    "fig-cutout.png",
    "sunset.webp",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_photograph_in_the_folder_is_bundled_and_credited() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/photos");
        let credits = std::fs::read_to_string(format!("{folder}/CREDITS.md")).unwrap();
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "CREDITS.md")
            .collect();
        names.sort();
        let mut bundled: Vec<&str> = SAMPLES.iter().map(|(name, _)| *name).collect();
        bundled.sort_unstable();
        assert_eq!(names, bundled);
        for name in names {
            assert!(credits.contains(&format!("`{name}`")), "{name} has no credit");
        }
    }
}
