use polars::prelude::{Column, DataFrame, IntoColumn, LazyFrame, Schema, Series};

use super::html::escape;
use super::table::html_table;
use super::{MimeBundle, MimeDisplay};

impl MimeDisplay for DataFrame {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.to_string()).with("text/html", html_table(self.columns(), self.height()))
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

/// A `LazyFrame` shows its plan and runs nothing.
impl MimeDisplay for LazyFrame {
    fn mime_bundle(&self) -> MimeBundle {
        match self.describe_plan() {
            Ok(plan) => {
                let note = "LazyFrame, not run yet; its plan before optimisation:";
                MimeBundle::text(format!("{note}\n{plan}")).with(
                    "text/html",
                    format!("<small style=\"opacity:0.6\">{note}</small><pre>{}</pre>", escape(&plan)),
                )
            }
            Err(error) => MimeBundle::text(format!("LazyFrame whose plan does not resolve: {error}")),
        }
    }
}

impl MimeDisplay for Schema {
    fn mime_bundle(&self) -> MimeBundle {
        let mut text = format!("schema of {} columns", self.len());
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
        assert_eq!(frame.mime_bundle().get("text/plain"), Some(frame.to_string().as_str()));
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
        assert!(bundle.get("text/plain").unwrap().contains("FILTER"));
        assert!(bundle.get("text/html").unwrap().contains("&lt;"));
        let broken = df!("a" => [1]).unwrap().lazy().select([col("missing")]);
        assert!(broken.mime_bundle().get("text/plain").unwrap().contains("missing"));
    }

    #[test]
    fn a_schema_lists_names_and_types() {
        let frame = df!("zone" => ["Soho"], "fare" => [1.0]).unwrap();
        let bundle = frame.schema().mime_bundle();
        assert_eq!(bundle.get("text/plain"), Some("schema of 2 columns\n  zone: str\n  fare: f64"));
        assert!(bundle.get("text/html").unwrap().contains("<td style=\"text-align:left\">fare</td>"));
    }
}
