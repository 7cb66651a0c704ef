use polars::prelude::{Column, DataFrame, Expr, IntoColumn, LazyFrame, LazyGroupBy, Schema, Series};

use super::html::{escape, preformatted};
use super::table::{html_table, text_table};
use super::{MimeBundle, MimeDisplay};

impl MimeDisplay for DataFrame {
    fn mime_bundle(&self) -> MimeBundle {
        let (columns, height) = (self.columns(), self.height());
        MimeBundle::text(text_table(columns, height)).with("text/html", html_table(columns, height))
    }
}

impl MimeDisplay for Series {
    fn mime_bundle(&self) -> MimeBundle {
        let column = self.clone().into_column();
        MimeBundle::text(self.to_string()).with("text/html", html_table(&[column], self.len()))
    }
}

impl MimeDisplay for Column {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.as_materialized_series().to_string())
            .with("text/html", html_table(std::slice::from_ref(self), self.len()))
    }
}

/// The most lines of a plan that are shown.
const MAX_PLAN_LINES: usize = 40;

/// A `LazyFrame` shows its plan, both optimised and as written, and runs nothing.
impl MimeDisplay for LazyFrame {
    fn mime_bundle(&self) -> MimeBundle {
        let (written, optimised) = match (self.describe_plan(), self.describe_optimized_plan()) {
            (Ok(written), Ok(optimised)) => (page(&written), page(&optimised)),
            (Err(error), _) | (_, Err(error)) => {
                return MimeBundle::text(format!("LazyFrame with an invalid plan: {error}"));
            }
        };
        let note = "LazyFrame, not run yet; run it with collect()?";
        let mut text = format!("{note}\n\noptimised plan:\n{optimised}");
        let mut html = format!(
            "<small style=\"opacity:0.6\">{note}</small>\
             <details open><summary>optimised plan</summary>{}</details>",
            preformatted(&optimised)
        );
        if written == optimised {
            text.push_str("\n\n(as written)");
        } else {
            text.push_str(&format!("\n\nas written:\n{written}"));
            html.push_str(&format!(
                "<details><summary>as written</summary>{}</details>",
                preformatted(&written)
            ));
        }
        MimeBundle::text(text).with("text/html", html)
    }
}

/// The first lines of a plan.
fn page(plan: &str) -> String {
    let lines: Vec<&str> = plan.trim_end().lines().collect();
    match lines.get(..MAX_PLAN_LINES) {
        Some(first) if lines.len() > MAX_PLAN_LINES => {
            let rest = lines.len() - MAX_PLAN_LINES;
            format!("{}\n… {rest} more lines; explain(true)? has them all", first.join("\n"))
        }
        _ => lines.join("\n"),
    }
}

/// An expression is shown as Polars writes it in a plan.
impl MimeDisplay for Expr {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(format!("{self:?}"))
    }
}

/// Shows that aggregations are missing.
impl MimeDisplay for LazyGroupBy {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text("LazyGroupBy: groups without aggregations; add .agg([…])")
    }
}

impl MimeDisplay for Schema {
    fn mime_bundle(&self) -> MimeBundle {
        let s = if self.len() == 1 { "" } else { "s" };
        let mut text = format!("schema of {} column{s}", self.len());
        let mut html = String::from("<table><thead><tr><th style=\"text-align:left\">column</th>");
        html.push_str("<th style=\"text-align:left\">type</th></tr></thead><tbody>");
        for (name, dtype) in self.iter() {
            text.push_str(&format!("\n  {name}: {dtype}"));
            html.push_str(&format!(
                "<tr><td style=\"text-align:left\">{}</td><td style=\"text-align:left\">{}</td></tr>",
                escape(name),
                escape(&dtype.to_string())
            ));
        }
        html.push_str("</tbody></table>");
        MimeBundle::text(text).with("text/html", html)
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;

    fn html(value: &impl MimeDisplay) -> String {
        value.mime_bundle().get("text/html").expect("html").to_owned()
    }

    #[test]
    fn a_small_frame_shows_every_value_with_names_types_and_shape() {
        let frame = df!("zone" => ["Soho", "Harlem"], "fare" => [Some(12.5), None]).unwrap();
        let html = html(&frame);
        for expected in ["zone", "fare", "str", "f64", "Soho", "Harlem", "12.5", "null", "2 rows × 2 columns"]
        {
            assert!(html.contains(expected), "{expected} is not in {html}");
        }
    }

    #[test]
    fn a_long_frame_shows_its_first_and_last_rows_only() {
        let frame = df!("n" => (1000..2000).collect::<Vec<i32>>()).unwrap();
        let html = html(&frame);
        assert_eq!(html.split("<tbody>").nth(1).unwrap().matches("<tr>").count(), 11);
        assert!(html.contains(">1004<") && !html.contains(">1005<"), "{html}");
        assert!(html.contains(">1995<") && !html.contains(">1994<"), "{html}");
        assert!(html.contains("1000 rows × 1 column<"), "{html}");
    }

    #[test]
    fn a_wide_frame_leaves_out_its_middle_columns() {
        let columns = (0..20).map(|index| Column::new(format!("c{index}").into(), [index])).collect();
        let html = html(&DataFrame::new_infer_height(columns).unwrap());
        assert!(html.contains(">c5<") && !html.contains(">c6<"), "{html}");
        assert!(html.contains(">c14<") && !html.contains(">c13<"), "{html}");
        assert!(html.contains("20 columns"));
    }

    #[test]
    fn names_and_values_cannot_inject_markup() {
        let frame = df!("<i>name" => ["<script>alert(1)</script>"]).unwrap();
        let html = html(&frame);
        assert!(!html.contains("<script") && !html.contains("<i>name"), "{html}");
        assert!(html.contains("&lt;script&gt;"));
    }

    #[test]
    fn nothing_in_a_table_fixes_a_colour_that_a_theme_owns() {
        let html = html(&df!("a" => [1]).unwrap());
        assert!(!html.contains("color") && !html.contains("background"), "{html}");
    }

    #[test]
    fn an_empty_frame_still_shows_its_columns() {
        let html = html(&df!("a" => Vec::<i32>::new()).unwrap());
        assert!(html.contains(">a<") && html.contains("0 rows × 1 column<"), "{html}");
    }

    #[test]
    fn series_and_column_show_as_a_table_of_one_column() {
        let series = Series::new("fare".into(), [7.25, 8.0]);
        assert!(html(&series).contains("7.25"));
        assert_eq!(html(&series), html(&series.clone().into_column()));
    }

    #[test]
    fn a_lazy_frame_shows_its_plan_escaped_and_does_not_run() {
        let lazy = df!("a" => [1, 2]).unwrap().lazy().filter(col("a").lt(lit(2)));
        let bundle = lazy.mime_bundle();
        let text = bundle.get("text/plain").unwrap();
        assert!(
            text.contains("FILTER") && text.contains("optimised plan") && text.contains("written"),
            "{text}"
        );
        assert!(bundle.get("text/html").unwrap().contains("&lt;"));
        let broken = df!("a" => [1]).unwrap().lazy().select([col("missing")]);
        assert!(broken.mime_bundle().get("text/plain").unwrap().contains("missing"));
    }

    #[test]
    fn an_expression_shows_as_it_is_written_in_plans() {
        let shown = col("fare").sum().alias("total").mime_bundle();
        assert_eq!(shown.get("text/plain"), Some(r#"col("fare").sum().alias("total")"#));
        let groups = df!("a" => [1]).unwrap().lazy().group_by([col("a")]).mime_bundle();
        assert!(groups.get("text/plain").unwrap().contains(".agg("));
    }

    #[test]
    fn a_plan_is_no_longer_than_a_page() {
        let shown = page(&"FILTER\n".repeat(100));
        assert_eq!(shown.lines().count(), MAX_PLAN_LINES + 1);
        assert!(shown.ends_with("… 60 more lines; explain(true)? has them all"), "{shown}");
        assert_eq!(page("FILTER\nFROM"), "FILTER\nFROM");
    }

    #[test]
    fn a_huge_frame_of_long_texts_is_a_few_kilobytes() {
        let long = "<&\n".repeat(10_000);
        let columns =
            (0..100).map(|i| Column::new(format!("{long}{i}").into(), vec![long.as_str(); 30])).collect();
        let bundle = DataFrame::new_infer_height(columns).unwrap().mime_bundle();
        assert!(bundle.get("text/html").unwrap().len() < 100_000);
        assert!(bundle.get("text/plain").unwrap().len() < 10_000);
        assert_eq!(bundle.get("text/plain").unwrap().lines().count(), 18);
    }

    #[test]
    fn a_schema_lists_names_and_types() {
        let frame = df!("zone" => ["Soho"], "fare" => [1.0]).unwrap();
        let bundle = frame.schema().mime_bundle();
        assert_eq!(bundle.get("text/plain"), Some("schema of 2 columns\n  zone: str\n  fare: f64"));
        assert!(bundle.get("text/html").unwrap().contains("<td style=\"text-align:left\">fare</td>"));
    }
}
