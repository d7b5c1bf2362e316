//! Drawings of a report, as SVG: how delays are spread in each case, and columns over what was swept.

mod axis;

use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::column;
use super::{Report, Row, shares};
use crate::stats::Spread;
use axis::Axis;

/// The size of a drawing, in pixels.
const SIZE: (u32, u32) = (900, 440);
/// What of it is left for the names of the lines.
const NAMES_WIDTH: u32 = 250;
/// Characters of a name that find room there.
const NAME_CHARS: usize = 32;
/// Colours that people with any kind of colour vision tell apart, after Okabe and Ito (2008), the darkest
/// first.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];
const INK: RGBColor = RGBColor(40, 40, 40);
const GRID: RGBColor = RGBColor(225, 225, 225);
const FONT: &str = "sans-serif";
/// Sizes of texts: an SVG says four fifths of it.
const TITLE_SIZE: i32 = 20;
const TEXT_SIZE: i32 = 16;
/// Every other line is dashed, so that one that lies below it is seen.
const DASHES: (u32, u32) = (7, 5);

/// A drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// The file it goes into.
    pub file: String,
    /// The drawing.
    pub svg: String,
}

/// A line with its name.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
    /// The range over the seeds, at each point that is marked.
    ranges: Vec<(f64, Spread)>,
}

/// What stands around the lines.
struct Frame<'a> {
    title: &'a str,
    x: &'a str,
    y: &'a str,
}

/// Everything there is to draw.
pub fn drawings(report: &Report) -> Vec<Drawing> {
    let mut all = vec![Drawing {
        file: "delays.svg".to_owned(),
        svg: delays(report),
    }];
    let axes = report.plot.iter();
    all.extend(axes.flat_map(|axes| {
        axes.y.iter().map(|key| Drawing {
            file: format!("{key}.svg"),
            svg: sweep(report, &axes.x, key),
        })
    }));
    all
}

/// Which share of what was due had come by when, a line for each case: it ends where the rest never came.
fn delays(report: &Report) -> String {
    let lines: Vec<Line> = report.cases.iter().map(spread_of_delays).collect();
    let values: Vec<f64> = report
        .cases
        .iter()
        .flat_map(|row| row.delays_ms.iter().copied())
        .collect();
    let frame = Frame {
        title: &format!("{}: how long deliveries take", report.scenario),
        x: "delay (ms)",
        y: "share of what is due, delivered by then",
    };
    draw(&frame, Axis::of(&values), Axis::linear(1.0), &lines)
}

fn spread_of_delays(row: &Row) -> Line {
    let points = row.delays_ms.iter().copied().zip(shares());
    Line {
        name: row.name.clone(),
        points: points.collect(),
        ranges: Vec::new(),
    }
}

/// A column over what was swept, a line for each protocol.
fn sweep(report: &Report, x: &str, key: &str) -> String {
    let mut protocols: Vec<&str> = Vec::new();
    for row in &report.cases {
        if !protocols.contains(&row.protocol.as_str()) {
            protocols.push(&row.protocol);
        }
    }
    let lines = protocols
        .into_iter()
        .map(|protocol| swept(report, protocol, key));
    let lines: Vec<Line> = lines.filter(|line| !line.points.is_empty()).collect();
    let all = || lines.iter().flat_map(|line| &line.ranges);
    let xs: Vec<f64> = all().map(|(x, _)| *x).collect();
    let ys: Vec<f64> = all()
        .flat_map(|(_, spread)| [spread.least, spread.most])
        .collect();
    let label = column::find(key).map_or(key, |column| column.axis);
    let frame = Frame {
        title: &format!("{}: {label}", report.scenario),
        x,
        y: label,
    };
    draw(&frame, Axis::of(&xs), Axis::of(&ys), &lines)
}

fn swept(report: &Report, protocol: &str, key: &str) -> Line {
    let rows = report.cases.iter().filter(|row| row.protocol == protocol);
    let mut ranges: Vec<(f64, Spread)> = rows
        .filter_map(|row| Some((row.x?, *row.columns.get(key)?)))
        .collect();
    ranges.sort_by(|a, b| a.0.total_cmp(&b.0));
    Line {
        name: protocol.to_owned(),
        points: ranges
            .iter()
            .map(|(x, spread)| (*x, spread.median))
            .collect(),
        ranges,
    }
}

fn draw(frame: &Frame<'_>, x: Axis, y: Axis, lines: &[Line]) -> String {
    let mut svg = String::new();
    let drawn = paint(SVGBackend::with_string(&mut svg, SIZE), frame, x, y, lines);
    drawn.expect("a text takes whatever is written into it");
    svg
}

type Painted<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn paint<'a>(
    backend: SVGBackend<'a>,
    frame: &Frame<'_>,
    x: Axis,
    y: Axis,
    lines: &[Line],
) -> Painted<'a> {
    let page = backend.into_drawing_area();
    page.fill(&WHITE)?;
    let title = TextStyle::from((FONT, TITLE_SIZE).into_font()).color(&INK);
    page.draw_text(frame.title, &title, (16, 14))?;
    let (plain, names) = page.split_horizontally(SIZE.0 - NAMES_WIDTH);
    let mut chart = ChartBuilder::on(&plain)
        .margin_top(48)
        .margin_left(8)
        .margin_right(16)
        .margin_bottom(8)
        .x_label_area_size(44)
        .y_label_area_size(66)
        .build_cartesian_2d(x, y)?;
    let text = TextStyle::from((FONT, TEXT_SIZE).into_font()).color(&INK);
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(INK)
        .label_style(text.clone())
        .axis_desc_style(text.clone())
        .x_desc(frame.x)
        .y_desc(frame.y)
        .draw()?;
    let name = text.pos(Pos::new(HPos::Left, VPos::Center));
    for (at, line) in (0_i32..).zip(lines) {
        let colour = COLOURS[at.unsigned_abs() as usize % COLOURS.len()];
        let stroke = colour.stroke_width(2);
        let points = line.points.iter().copied();
        let height = 60 + at * 22;
        let sample = [(0, height), (26, height)];
        if at % 2 == 0 {
            chart.draw_series(LineSeries::new(points, stroke))?;
            names.draw(&PathElement::new(sample, stroke))?;
        } else {
            let (dash, gap) = DASHES;
            chart.draw_series(DashedLineSeries::new(points, dash, gap, stroke))?;
            names.draw(&DashedPathElement::new(sample, dash, gap, stroke))?;
        }
        let marks = line.ranges.iter();
        let bars = marks.clone().map(|(x, spread)| {
            let ends = [(*x, spread.least), (*x, spread.most)];
            PathElement::new(ends, colour.stroke_width(1))
        });
        chart.draw_series(bars)?;
        let dots = marks.map(|(x, spread)| Circle::new((*x, spread.median), 4, colour.filled()));
        chart.draw_series(dots)?;
        names.draw_text(&shortened(&line.name), &name, (34, height))?;
    }
    page.present()
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME_CHARS {
        return name.to_owned();
    }
    let kept: String = name.chars().take(NAME_CHARS - 1).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::report::Axes;

    fn row(name: &str, protocol: &str, x: f64, p99_ms: f64) -> Row {
        let spread = Spread {
            median: p99_ms,
            least: p99_ms - 1.0,
            most: p99_ms + 1.0,
            missing: 0,
        };
        Row {
            name: name.to_owned(),
            protocol: protocol.to_owned(),
            nodes: 10,
            x: Some(x),
            columns: BTreeMap::from([("p99_ms".to_owned(), spread)]),
            bytes_by_kind: BTreeMap::new(),
            delays_ms: shares().into_iter().map(|share| share * p99_ms).collect(),
            traces: Vec::new(),
            broken_count: 0,
            broken: Vec::new(),
        }
    }

    #[test]
    fn a_drawing_has_its_axes_a_name_for_each_line_and_a_white_ground() {
        let report = Report {
            version: "1".to_owned(),
            scenario: "test".to_owned(),
            title: "x".to_owned(),
            about: String::new(),
            seeds: vec![1, 2],
            cases: vec![
                row("few <nodes>", "rootcast", 100.0, 50.0),
                row("many", "rootcast", 1_000.0, 60.0),
                row("other", "flood", 1_000.0, 40.0),
            ],
            plot: Some(Axes {
                x: "nodes".to_owned(),
                y: vec!["p99_ms".to_owned()],
            }),
        };
        let drawings = drawings(&report);
        let files: Vec<_> = drawings
            .iter()
            .map(|drawing| drawing.file.as_str())
            .collect();
        assert_eq!(files, ["delays.svg", "p99_ms.svg"]);
        let [delays, sweep] = [0, 1].map(|at| drawings[at].svg.as_str());
        assert!(delays.contains("few &lt;nodes&gt;") && delays.contains("delay (ms)"));
        for name in ["rootcast", "flood", "nodes", "delay, 99th percentile (ms)"] {
            assert!(sweep.contains(name), "{name}");
        }
        for svg in [delays, sweep] {
            assert!(svg.contains(
                "<rect x=\"0\" y=\"0\" width=\"900\" height=\"440\" opacity=\"1\" fill=\"#FFFFFF\""
            ));
            assert!(svg.trim_end().ends_with("</svg>"));
        }
    }

    #[test]
    fn a_report_of_nothing_is_drawn_all_the_same() {
        let report = Report {
            version: "1".to_owned(),
            scenario: "test".to_owned(),
            title: "x".to_owned(),
            about: String::new(),
            seeds: Vec::new(),
            cases: Vec::new(),
            plot: None,
        };
        assert_eq!(drawings(&report).len(), 1);
    }
}
