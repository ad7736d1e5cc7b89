//! Tables and quantities for people.

use std::fmt::Write as _;

/// A plain-text table: columns padded to their widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A column whose title ends in `>` is aligned right (numbers).
    pub(crate) fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn render(&self) -> String {
        let titles: Vec<&str> = self.header.iter().map(|title| title.trim_end_matches('>')).collect();
        let mut widths: Vec<usize> = titles.iter().map(|title| width(title)).collect();
        for row in &self.rows {
            for (column, cell) in widths.iter_mut().zip(row) {
                *column = (*column).max(width(cell));
            }
        }
        let mut text = String::new();
        let mut line = |cells: &[String]| {
            let mut line = String::new();
            for ((cell, wide), title) in cells.iter().zip(&widths).zip(&self.header) {
                let padding = " ".repeat(wide - width(cell));
                let _ = if title.ends_with('>') {
                    write!(line, "{padding}{cell}  ")
                } else {
                    write!(line, "{cell}{padding}  ")
                };
            }
            let _ = writeln!(text, "{}", line.trim_end());
        };
        line(&titles.iter().map(|title| (*title).to_owned()).collect::<Vec<_>>());
        line(&widths.iter().map(|wide| "─".repeat(*wide)).collect::<Vec<_>>());
        for row in &self.rows {
            line(row);
        }
        text
    }
}

/// Columns on a terminal, near enough: one a character.
fn width(text: &str) -> usize {
    text.chars().count()
}

/// "1.7 MB": decimal units with one digit, as file managers show them.
pub(crate) fn bytes(count: u64) -> String {
    let (unit, size) = match count {
        0..1_000 => return format!("{count} B"),
        1_000..1_000_000 => ("kB", 1e3),
        1_000_000..1_000_000_000 => ("MB", 1e6),
        _ => ("GB", 1e9),
    };
    format!("{:.1} {unit}", count as f64 / size)
}

/// "12.3", milliseconds.
pub(crate) fn milliseconds(ms: f64) -> String {
    if ms < 100.0 { format!("{ms:.1}") } else { format!("{ms:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_right() {
        let mut table = Table::new(&["name", "size>"]);
        table.row(["ä".to_owned(), "1".to_owned()]);
        table.row(["longer".to_owned(), "12345".to_owned()]);
        assert_eq!(table.render(), "name     size\n──────  ─────\nä           1\nlonger  12345\n");
    }

    #[test]
    fn sizes_read_as_file_managers_show_them() {
        for (count, text) in
            [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (1_734_602, "1.7 MB"), (3_000_000_000, "3.0 GB")]
        {
            assert_eq!(bytes(count), text);
        }
    }
}
