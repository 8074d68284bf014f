//! What uploaded files are, by their bytes; and thumbnails of images, made few at a time.

use std::io::Cursor;
use std::sync::Arc;

use image::codecs::gif::GifDecoder;
use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::codecs::png::{PngDecoder, PngEncoder};
use image::codecs::webp::WebPDecoder;
use image::error::{LimitError, LimitErrorKind};
use image::{DynamicImage, ImageDecoder, ImageError, ImageResult, Limits};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::types::ImageSize;

/// Bytes by which a file is known.
pub const HEAD: usize = 8 * 1024;
/// Largest file that is looked at as an image, in bytes.
pub const LARGEST: u64 = 32 << 20;
/// Images that are decoded at the same time.
const AT_ONCE: usize = 1;
/// Memory that decoding one of them may take, in bytes.
const MEMORY: u64 = 128 << 20;
/// Pixels of an image: some decoders take several times as much memory as the image, and none says so before.
const PIXELS: u64 = 25_000_000;
/// Longest side, in pixels: of an image, and of its thumbnail.
const LONGEST: u32 = 20_000;
const THUMBNAIL: u32 = 480;
/// From 1 to 100.
const QUALITY: u8 = 80;

const UNKNOWN: &str = "application/octet-stream";

/// Makes thumbnails.
pub struct Images(Arc<Semaphore>);

/// An image that was decoded.
pub struct Picture {
    /// As it is shown: turned as its camera says.
    pub size: ImageSize,
    /// JPEG, or PNG where something shines through. Nothing else of the original is in it: no place, no camera.
    pub thumbnail: Vec<u8>,
}

impl Images {
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// `None`: this is no image of that kind, or one that takes too much to decode. The content is read when its turn comes.
    pub async fn look(
        &self,
        kind: &'static str,
        content: impl FnOnce() -> Result<Zeroizing<Vec<u8>>> + Send + 'static,
    ) -> Result<Option<Picture>> {
        let permit = self.0.clone().acquire_owned().await.map_err(Error::internal)?;
        let decoded = tokio::task::spawn_blocking(move || {
            let picture = content().map(|content| picture(kind, &content).ok());
            drop(permit);
            picture
        });
        // A panic of a decoder ends that task alone.
        decoded.await.unwrap_or(Ok(None))
    }
}

/// The media type of a file that begins so. Of text and of what nobody knows it is one of two: whether it may run
/// somewhere is not for us to find out.
pub fn kind_of(head: &[u8]) -> &'static str {
    match infer::get(head) {
        Some(found) => found.mime_type(),
        None if is_text(head) => "text/plain",
        None => UNKNOWN,
    }
}

/// Whether browsers show it, once it was decoded here.
pub fn is_image(kind: &str) -> bool {
    matches!(kind, "image/png" | "image/jpeg" | "image/gif" | "image/webp")
}

/// What a file is that says it is an image, and is none.
pub fn unmasked(kind: &'static str) -> &'static str {
    if is_image(kind) { UNKNOWN } else { kind }
}

fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The head may end within a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn picture(kind: &str, content: &[u8]) -> ImageResult<Picture> {
    let content = Cursor::new(content);
    let image = match kind {
        "image/png" => decode(PngDecoder::new(content)?)?,
        "image/jpeg" => decode(JpegDecoder::new(content)?)?,
        "image/gif" => decode(GifDecoder::new(content)?)?,
        _ => decode(WebPDecoder::new(content)?)?,
    };
    let size = ImageSize { width: image.width(), height: image.height() };
    let small = match image.width().max(image.height()) > THUMBNAIL {
        true => image.thumbnail(THUMBNAIL, THUMBNAIL),
        false => image,
    };
    let mut thumbnail = Vec::new();
    match small.color().has_alpha() {
        true => small.to_rgba8().write_with_encoder(PngEncoder::new(&mut thumbnail))?,
        false => small.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut thumbnail, QUALITY))?,
    }
    Ok(Picture { size, thumbnail })
}

fn decode(mut decoder: impl ImageDecoder) -> ImageResult<DynamicImage> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY);
    limits.max_image_width = Some(LONGEST);
    limits.max_image_height = Some(LONGEST);
    let (width, height) = decoder.dimensions();
    limits.check_dimensions(width, height)?;
    if u64::from(width) * u64::from(height) > PIXELS {
        return Err(ImageError::Limits(LimitError::from_kind(LimitErrorKind::DimensionError)));
    }
    limits.reserve(decoder.total_bytes())?;
    decoder.set_limits(limits)?;
    let turn = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(turn);
    Ok(image)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, RgbaImage};

    use super::*;

    fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = Vec::new();
        image.into().write_with_encoder(PngEncoder::new(&mut bytes)).unwrap();
        bytes
    }

    #[test]
    fn a_file_is_what_its_bytes_say() {
        let html = b"<html><script>alert(1)</script></html>";
        for (head, kind) in [
            (&png(RgbImage::new(1, 1))[..], "image/png"),
            (b"%PDF-1.7", "application/pdf"),
            ("Grüße\n".as_bytes(), "text/plain"),
            (&"ü".as_bytes()[..1], "text/plain"),
            (b"\0\x01\x02", UNKNOWN),
            (b"", "text/plain"),
        ] {
            assert_eq!(kind_of(head), kind);
        }
        assert!(!is_image(kind_of(html)) && !is_image(kind_of(b"<svg xmlns='http://www.w3.org/2000/svg'/>")));
    }

    #[test]
    fn an_image_has_a_size_and_a_small_thumbnail() {
        let bytes = png(RgbImage::from_fn(1200, 600, |x, y| Rgb([x as u8, y as u8, 0])));
        let Picture { size, thumbnail } = picture("image/png", &bytes).unwrap();
        assert_eq!((size.width, size.height), (1200, 600));
        assert_eq!(kind_of(&thumbnail), "image/jpeg");
        let small = decode(JpegDecoder::new(Cursor::new(&thumbnail)).unwrap()).unwrap();
        assert_eq!((small.width(), small.height()), (480, 240));
        let clear = picture("image/png", &png(RgbaImage::new(10, 20))).unwrap();
        assert_eq!(kind_of(&clear.thumbnail), "image/png");
    }

    #[test]
    fn what_is_damaged_or_blows_up_is_no_image() {
        let mut bytes = png(RgbImage::new(100, 100));
        bytes.truncate(bytes.len() / 2);
        assert!(picture("image/png", &bytes).is_err());
        // A header that promises more than there can be: IHDR with 60,000 × 60,000 pixels.
        let mut bomb = png(RgbImage::new(1, 1));
        bomb[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
        assert!(picture("image/png", &bomb).is_err());
        assert!(picture("image/jpeg", &png(RgbImage::new(1, 1))).is_err(), "another kind than it says");
    }
}
