//! Bars and colours of the pictures that go into a README.

use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Where to draw.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Colours.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    /// A word for file names.
    pub name: &'static str,
    /// What is drawn on.
    pub paper: RGBColor,
    /// Text.
    pub ink: RGBColor,
    /// Lines that help.
    pub faint: RGBColor,
    /// Of what is compared, in its order. They differ for the colour-blind too: Okabe and
    /// Ito, "Color Universal Design".
    series: [RGBColor; 6],
}

impl Theme {
    /// Both: a README shows the one that suits its reader.
    pub const ALL: [Self; 2] = [Self::LIGHT, Self::DARK];

    /// Dark on white.
    pub const LIGHT: Self = Self {
        name: "light",
        paper: RGBColor(255, 255, 255),
        ink: RGBColor(31, 35, 40),
        faint: RGBColor(208, 215, 222),
        series: [
            RGBColor(0, 114, 178),
            RGBColor(213, 94, 0),
            RGBColor(0, 158, 115),
            RGBColor(204, 121, 167),
            RGBColor(230, 159, 0),
            RGBColor(110, 118, 129),
        ],
    };

    /// Light on black.
    pub const DARK: Self = Self {
        name: "dark",
        paper: RGBColor(13, 17, 23),
        ink: RGBColor(230, 237, 243),
        faint: RGBColor(48, 54, 61),
        series: [
            RGBColor(86, 180, 233),
            RGBColor(240, 128, 60),
            RGBColor(46, 196, 150),
            RGBColor(220, 150, 190),
            RGBColor(240, 190, 60),
            RGBColor(145, 152, 161),
        ],
    };

    /// The colour of what stands at this place among what is compared.
    pub fn series(&self, at: usize) -> RGBColor {
        self.series[at % self.series.len()]
    }

    /// A style of text.
    pub fn text(&self, size: u32, anchor: HPos) -> TextStyle<'static> {
        ("sans-serif", size)
            .into_font()
            .color(&self.ink)
            .pos(Pos::new(anchor, VPos::Center))
    }
}

/// One bar.
#[derive(Debug)]
pub struct Bar {
    /// What stands to the left of it.
    pub name: String,
    /// Its length; none for what was not measured.
    pub value: Option<f64>,
    /// What stands to the right of it.
    pub label: String,
    /// Its colour.
    pub color: RGBColor,
}

/// How bars are laid out, in pixels.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Above the first bar, for the title.
    pub head: i32,
    /// From one bar to the next.
    pub bar: i32,
    /// To the left of the bars, for their names.
    pub left: i32,
    /// To the right of the longest bar, for its label.
    pub right: i32,
    /// Size of the names and labels; the title is larger by two.
    pub text: u32,
}

impl Layout {
    /// How high so many bars are.
    pub fn height(&self, bars: usize) -> u32 {
        u32::try_from(self.head + self.bar * bars as i32 + 16).unwrap_or(0)
    }
}

/// Draws bars below a title; the longest one takes the room that there is.
pub fn bars(
    area: &Area<'_>,
    theme: &Theme,
    layout: Layout,
    title: &str,
    bars: &[Bar],
) -> Result<()> {
    area.draw_text(
        title,
        &theme.text(layout.text + 2, HPos::Left),
        (12, layout.head / 2),
    )?;
    let most = bars
        .iter()
        .filter_map(|bar| bar.value)
        .fold(f64::MIN_POSITIVE, f64::max);
    let (width, _) = area.dim_in_pixel();
    let room = f64::from((width as i32 - layout.left - layout.right).max(1));
    for (at, bar) in bars.iter().enumerate() {
        let top = layout.head + at as i32 * layout.bar;
        let middle = top + layout.bar / 2 - 1;
        let name = theme.text(layout.text, HPos::Right);
        area.draw_text(&bar.name, &name, (layout.left - 8, middle))?;
        let mut end = layout.left;
        if let Some(value) = bar.value {
            end += (room * value / most).round().max(1.0) as i32;
            let corners = [(layout.left, top + 2), (end, top + layout.bar - 4)];
            area.draw(&Rectangle::new(corners, bar.color.filled()))?;
        }
        let label = theme.text(layout.text, HPos::Left);
        area.draw_text(&bar.label, &label, (end + 6, middle))?;
    }
    Ok(())
}
