use super::PlotError;
use super::style::CORNER;

/// Encodes RGB pixels as a PNG whose corners are transparent outside the panel's rounding.
pub(super) fn encode(rgb: &[u8], (width, height): (u32, u32)) -> Result<Vec<u8>, PlotError> {
    let mut rgba = Vec::with_capacity(rgb.len() / 3 * 4);
    for (index, pixel) in rgb.chunks_exact(3).enumerate() {
        let (x, y) = (index as u32 % width, index as u32 / width);
        rgba.extend_from_slice(pixel);
        rgba.push(coverage(x.min(width - 1 - x), y.min(height - 1 - y)));
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(PlotError::draw)?;
    writer.write_image_data(&rgba).map_err(PlotError::draw)?;
    writer.finish().map_err(PlotError::draw)?;
    Ok(file)
}

/// The opacity of a pixel by its distance from the nearest side, horizontally and vertically.
fn coverage(from_side: u32, from_top: u32) -> u8 {
    if from_side >= CORNER || from_top >= CORNER {
        return u8::MAX;
    }
    let radius = f64::from(CORNER);
    let distance = |inside: u32| radius - f64::from(inside) - 0.5;
    let beyond = distance(from_side).hypot(distance(from_top)) - radius;
    ((0.5 - beyond).clamp(0.0, 1.0) * 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_are_transparent_and_the_rest_is_opaque() {
        let size = (40, 30);
        let file = encode(&[200; 40 * 30 * 3], size).unwrap();
        let mut reader = png::Decoder::new(file.as_slice()).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), size);
        let alpha = |x: usize, y: usize| pixels[(y * 40 + x) * 4 + 3];
        for (x, y) in [(0, 0), (39, 0), (0, 29), (39, 29)] {
            assert_eq!(alpha(x, y), 0);
        }
        assert_eq!((alpha(20, 0), alpha(0, 15), alpha(20, 15)), (255, 255, 255));
    }
}
