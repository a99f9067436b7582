//! Shows a report: one `view` with all figures already formed, and one short renderer per format.

pub mod html;
pub mod markdown;
pub mod text;
pub mod view;
