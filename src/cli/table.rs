//! Tables in files: CSV as people and platforms save it, and the first sheet of a workbook.

use std::{borrow::Cow, io::Cursor};

use anyhow::{Context, bail};
use calamine::{Data, Reader, Xlsx};

/// A header and its rows, all as text.
pub(super) struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// CSV with commas, semicolons or tabs, in UTF-8 or UTF-16: Excel and Meta write all of these.
pub(super) fn csv(bytes: &[u8]) -> anyhow::Result<Table> {
    let text = text(bytes)?;
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).delimiter(delimiter(&text)).from_reader(text.as_bytes());
    let header = reader.headers()?.iter().map(str::to_owned).collect();
    let rows = reader.records().map(|row| Ok(row?.iter().map(str::to_owned).collect()));
    Ok(Table { header, rows: rows.collect::<anyhow::Result<_>>()? })
}

/// The first sheet of an Excel workbook.
pub(super) fn xlsx(bytes: &[u8]) -> anyhow::Result<Table> {
    let mut workbook = Xlsx::new(Cursor::new(bytes)).context("it is no Excel workbook")?;
    let sheet = workbook.worksheet_range_at(0).context("the workbook has no sheet")??;
    let mut rows = sheet.rows().map(|row| row.iter().map(cell).collect::<Vec<_>>());
    let Some(header) = rows.next() else { bail!("the first sheet is empty") };
    Ok(Table { header, rows: rows.filter(|row| row.iter().any(|cell| !cell.is_empty())).collect() })
}

fn text(bytes: &[u8]) -> anyhow::Result<Cow<'_, str>> {
    let (unit, rest): (fn([u8; 2]) -> u16, _) = match bytes {
        [0xff, 0xfe, rest @ ..] => (u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => (u16::from_be_bytes, rest),
        _ => {
            // Excel marks UTF-8 with a byte order mark.
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            return Ok(Cow::Borrowed(
                std::str::from_utf8(text).context("save it as CSV UTF-8: it is neither UTF-8 nor UTF-16")?,
            ));
        }
    };
    let units: Vec<u16> = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    Ok(Cow::Owned(String::from_utf16(&units).context("it is not valid UTF-16")?))
}

/// The one that the first line has most of, outside of quotes.
fn delimiter(text: &str) -> u8 {
    let line = text.lines().next().unwrap_or_default();
    let bare: String = line.split('"').step_by(2).collect();
    let count = |delimiter: &u8| bare.bytes().filter(|byte| byte == delimiter).count();
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

fn cell(data: &Data) -> String {
    match data {
        Data::Empty | Data::Error(_) => String::new(),
        Data::String(text) => text.trim().to_owned(),
        // Ids and phone numbers are numbers to Excel.
        Data::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        Data::DateTime(time) if time.is_datetime() => {
            time.as_datetime().map_or_else(|| time.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_saving_csv_is_read() {
        let text = "id\tالاسم\tphone\n1\tسارة, علي\t\"a\"\n";
        let utf16 = |order: fn(u16) -> [u8; 2], mark: [u8; 2]| {
            mark.into_iter().chain(text.encode_utf16().flat_map(order)).collect::<Vec<_>>()
        };
        let variants = [
            utf16(u16::to_le_bytes, [0xff, 0xfe]),
            utf16(u16::to_be_bytes, [0xfe, 0xff]),
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            "id;الاسم;phone\n1;سارة, علي;a\n".as_bytes().to_vec(),
            "id,الاسم,phone\n1,\"سارة, علي\",a\n".as_bytes().to_vec(),
            "id,\"الاسم\",phone\n 1 ,\"سارة, علي\",a\n".as_bytes().to_vec(),
        ];
        for bytes in variants {
            let table = csv(&bytes).expect("a table");
            assert_eq!(table.header, ["id", "الاسم", "phone"]);
            assert_eq!(table.rows, [["1", "سارة, علي", "a"]]);
        }
        for bad in [&b"\xff\xfe\x00\xd8"[..], b"a,b\n\xe9,1\n", b"a,b\n1\n"] {
            assert!(csv(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn cells_are_text() {
        for (data, expected) in [
            (Data::Float(966_501_234_567.0), "966501234567"),
            (Data::Float(1.5), "1.5"),
            (Data::Int(7), "7"),
            (Data::Bool(true), "true"),
            (Data::String(" سارة ".to_owned()), "سارة"),
            (Data::Empty, ""),
            (Data::DateTimeIso("2026-11-20T10:00:00".to_owned()), "2026-11-20T10:00:00"),
        ] {
            assert_eq!(cell(&data), expected);
        }
        assert!(xlsx(b"no workbook").is_err());
    }
}
