//! Horizontal bars as SVG: readable in light and dark mode, without a script or a font of its own.

use std::fmt::Write;

/// One figure's plot.
#[derive(Debug, Clone)]
pub struct Plot {
    pub title: String,
    /// What the axis shows.
    pub unit: String,
    /// For values that are orders of magnitude apart.
    pub logarithmic: bool,
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone)]
pub struct Bar {
    pub label: String,
    pub value: f64,
    /// The daemon, or what it is measured against.
    pub subject: bool,
    /// Where the bar should end.
    pub target: Option<f64>,
}

impl Bar {
    pub fn subject(label: impl Into<String>, value: f64) -> Bar {
        Bar { label: label.into(), value, subject: true, target: None }
    }

    pub fn baseline(label: impl Into<String>, value: f64) -> Bar {
        Bar { subject: false, ..Bar::subject(label, value) }
    }

    pub fn target(self, target: f64) -> Bar {
        Bar { target: Some(target), ..self }
    }
}

const WIDTH: f64 = 820.0;
const LEFT: f64 = 300.0;
const RIGHT: f64 = 80.0;
const TOP: f64 = 64.0;
const ROW: f64 = 28.0;
const BAR: f64 = 18.0;

const STYLE: &str = "\
    text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600; font-size: 15px } \
    .quiet { fill: #57606a; font-size: 12px } .grid { stroke: #d0d7de } .subject { fill: #0969da } \
    .baseline { fill: #afb8c1 } .target { stroke: #cf222e; stroke-width: 2 } .target-text { fill: #cf222e } \
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .quiet { fill: #9198a1 } .grid { stroke: #3d444d } \
    .subject { fill: #4493f8 } .baseline { fill: #656c76 } .target { stroke: #ff7b72 } .target-text { fill: #ff7b72 } }";

impl Plot {
    /// The file.
    pub fn svg(&self) -> String {
        let rows = TOP + ROW * self.bars.len() as f64;
        let height = rows + 56.0;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n\
             <text class=\"title\" x=\"16\" y=\"26\">{title}</text>\n",
            title = escape(&self.title)
        );
        self.legend(&mut svg);
        let axis = Axis::new(self);
        for tick in &axis.ticks {
            let x = axis.x(*tick);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{rows}\"/>\
                 <text class=\"quiet\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                rows + 18.0,
                number(*tick)
            );
        }
        let _ = writeln!(
            svg,
            "<text class=\"quiet\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
            rows + 40.0,
            escape(&self.unit)
        );
        for (row, bar) in self.bars.iter().enumerate() {
            let y = TOP + ROW * row as f64 + (ROW - BAR) / 2.0;
            let class = if bar.subject { "subject" } else { "baseline" };
            let end = axis.x(bar.value).max(LEFT + 1.0);
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
                 <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\"/>",
                LEFT - 10.0,
                y + 13.5,
                escape(&bar.label),
                end - LEFT
            );
            let mut beside = end;
            if let Some(target) = bar.target {
                let x = axis.x(target);
                // The number must not stand on the mark.
                if x > end && x < end + 62.0 {
                    beside = x;
                }
                let (from, to) = (y - 3.0, y + BAR + 3.0);
                let _ = writeln!(svg, "<line class=\"target\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{from}\" y2=\"{to}\"/>");
            }
            let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>", beside + 6.0, y + 13.5, number(bar.value));
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn legend(&self, svg: &mut String) {
        let _ = writeln!(
            svg,
            "<rect class=\"subject\" x=\"16\" y=\"38\" width=\"12\" height=\"12\" rx=\"2\"/>\
             <text class=\"quiet\" x=\"34\" y=\"49\">G-Assistant</text>\
             <rect class=\"baseline\" x=\"130\" y=\"38\" width=\"12\" height=\"12\" rx=\"2\"/>\
             <text class=\"quiet\" x=\"148\" y=\"49\">baseline</text>"
        );
        if self.bars.iter().any(|bar| bar.target.is_some()) {
            let _ = writeln!(
                svg,
                "<line class=\"target\" x1=\"222\" x2=\"222\" y1=\"37\" y2=\"51\"/>\
                 <text class=\"quiet\" x=\"230\" y=\"49\">target</text>"
            );
        }
    }
}

struct Axis {
    logarithmic: bool,
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

impl Axis {
    fn new(plot: &Plot) -> Axis {
        let values = || plot.bars.iter().flat_map(|bar| [Some(bar.value), bar.target]).flatten();
        let largest = values().fold(f64::MIN_POSITIVE, f64::max);
        if plot.logarithmic {
            let smallest = values().fold(largest, f64::min).max(f64::MIN_POSITIVE);
            let (first, last) = (smallest.log10().floor() as i32, largest.log10().ceil() as i32);
            // A bar that ends where the axis begins would not be seen.
            let first = if smallest < 10_f64.powi(first) * 1.5 { first - 1 } else { first };
            let ticks = (first..=last).map(|power| 10_f64.powi(power)).collect();
            return Axis { logarithmic: true, low: f64::from(first), high: f64::from(last), ticks };
        }
        let rough = largest / 5.0;
        let unit = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * unit);
        let step = steps.into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let count = (largest / step).ceil();
        let ticks = (0..=count as u32).map(|tick| f64::from(tick) * step).collect();
        Axis { logarithmic: false, low: 0.0, high: count * step, ticks }
    }

    fn x(&self, value: f64) -> f64 {
        let at = if self.logarithmic { value.max(f64::MIN_POSITIVE).log10() } else { value };
        let share = ((at - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }
}

/// Three digits that matter, and thousands apart.
pub fn number(value: f64) -> String {
    let digits =
        if value == 0.0 || value.abs() >= 100.0 { 0 } else { 2 - value.abs().log10().floor().max(-2.0) as usize };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let rest = rest.trim_end_matches('0');
    if rest.is_empty() { grouped } else { format!("{grouped}.{rest}") }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
