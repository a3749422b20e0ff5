//! Words with holes: message texts and expressions, by minijinja.
//!
//! What a hole names has to exist, values are escaped for where they stand (HTML, URL), and neither a loop nor a
//! flood of text goes on for ever. Dates are counted as in `business_date | minus(months=1)`,
//! `business_date - 1 month` and `run_date | date("%d.%m.%Y")`; `run_date` is another name for `business_date`.
//! Called wherever a batch, a document or a message is checked or filled in.

use std::io;

use minijinja::{
    AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior, Value as Hole, context, value::Serde,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{Context, date};

/// How many instructions one text may take. Lower refuses long honest lists; higher lets a loop burn a core longer.
const FUEL: u64 = 500_000;

/// How long one text may become, in bytes. Higher lets a hostile text take more memory.
const LIMIT: usize = 4 * 1024 * 1024;

/// What stands for itself in a part of a URL.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Fills in texts and expressions.
#[derive(Debug, Clone)]
pub struct Expressions {
    environment: Environment<'static>,
}

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text}")]
pub struct TextError {
    pub line: usize,
    pub text: String,
}

/// Where the values of a text end up, which decides how they are escaped.
#[derive(Debug, Clone, Copy)]
enum Place {
    Text,
    Html,
    Url,
}

impl Default for Expressions {
    fn default() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_debug(true);
        environment.set_auto_escape_callback(escape);
        environment.set_formatter(write_value);
        environment.add_filter("plus", date::plus);
        environment.add_filter("minus", date::minus);
        environment.add_filter("date", date::format);
        Self { environment }
    }
}

impl Expressions {
    /// Fills in plain text.
    pub fn render_text(&self, source: &str, context: &Context) -> Result<String, TextError> {
        self.render(Place::Text, source, context)
    }

    /// Fills in HTML; values are escaped.
    pub fn render_html(&self, source: &str, context: &Context) -> Result<String, TextError> {
        self.render(Place::Html, source, context)
    }

    /// Fills in a URL; values are percent-encoded, but for those marked `| safe`.
    pub fn render_url(&self, source: &str, context: &Context) -> Result<String, TextError> {
        self.render(Place::Url, source, context)
    }

    /// Whether `source` can be read at all; what its holes name is known only when it is filled in.
    pub fn check(&self, source: &str) -> Result<(), TextError> {
        let source = date::rewrite(source);
        self.environment.template_from_str(&source).map(drop).map_err(|error| explain(&error, &source))
    }

    /// Whether `source` reads the variable `name`.
    pub fn reads(&self, source: &str, name: &str) -> bool {
        let source = date::rewrite(source);
        let template = self.environment.template_from_str(&source);
        template.is_ok_and(|template| template.undeclared_variables(false).contains(name))
    }

    /// The value of a parameter: text with `{{` or `{%` in it is an expression, anything else stands for itself.
    pub fn evaluate(&self, value: &Value, context: &Context) -> Result<Value, TextError> {
        match expression(value) {
            Some(source) => self.render_text(source, context).map(Value::String),
            None => Ok(value.clone()),
        }
    }

    fn render(&self, place: Place, source: &str, context: &Context) -> Result<String, TextError> {
        let source = date::rewrite(source);
        let run_date = context.get("business_date").map_or(Hole::UNDEFINED, |date| Hole::from(Serde(date)));
        let context = context! { run_date => run_date, ..Hole::from(Serde(context)) };
        let mut out = Bounded::default();
        self.environment
            .template_from_named_str(place.name(), &source)
            .and_then(|template| template.render_captured_to(context, &mut out).map(drop))
            .map_err(|error| explain(&error, &source))?;
        Ok(String::from_utf8_lossy(&out.bytes).into_owned())
    }
}

/// The expression in `value`, if it is one.
pub fn expression(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| text.contains("{{") || text.contains("{%"))
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Html => "html",
            Self::Url => "url",
        }
    }
}

fn escape(place: &str) -> AutoEscape {
    match place {
        "html" => AutoEscape::Html,
        "url" => AutoEscape::Custom("url".into()),
        _ => AutoEscape::None,
    }
}

fn write_value(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Hole) -> Result<(), minijinja::Error> {
    match state.auto_escape() {
        AutoEscape::Custom(_) if value.is_safe() => Ok(write!(out, "{value}")?),
        AutoEscape::Custom(_) => Ok(write!(out, "{}", utf8_percent_encode(&value.to_string(), UNRESERVED))?),
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// Says what is wrong in words that name the hole, not the engine.
fn explain(error: &minijinja::Error, source: &str) -> TextError {
    let place = error.range().and_then(|range| source.get(range)).unwrap_or("a name");
    let text = match error.kind() {
        ErrorKind::UndefinedError => format!("`{place}` is not defined"),
        ErrorKind::OutOfFuel => "the text goes on for too long; is there a loop that does not end?".to_owned(),
        ErrorKind::WriteFailure => format!("the text becomes longer than {} MB", LIMIT / 1024 / 1024),
        kind => error.detail().map_or_else(|| kind.to_string(), str::to_owned),
    };
    TextError { line: error.line().unwrap_or(1), text }
}

/// Takes bytes up to the limit.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > LIMIT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(source: &str) -> Result<String, String> {
        let context = json!({
            "business_date": "2026-03-31",
            "user": { "company": "Müller & Co" },
            "recipient": { "params": { "yard": 7 } },
        });
        Expressions::default().render_text(source, &context).map_err(|error| error.to_string())
    }

    #[test]
    fn dates_are_counted_to_the_end_of_short_months() {
        for (source, expected) in [
            ("{{ business_date }}", "2026-03-31"),
            ("{{ business_date | minus(months=1) }}", "2026-02-28"),
            ("{{run_date - 1 month}}", "2026-02-28"),
            ("{{ business_date - 1 month + 1 day }}", "2026-03-01"),
            ("{{ business_date | plus(years=1, weeks=1, days=-1) }}", "2027-04-06"),
            ("{{ (run_date - 1 year) | date(\"%d.%m.%Y\") }}", "31.03.2025"),
            ("{{ business_date | date('%-d %B') }}", "31 March"),
        ] {
            assert_eq!(text(source).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (source, expected) in [
            ("a\n{{ user.compny }}", "line 2: `user.compny` is not defined"),
            ("{{ nobody.name }}", "line 1: `nobody.name` is not defined"),
            ("{{ business_date | date('%Q') }}", "line 1: `%Q` is no format of a date, like `%d.%m.%Y`"),
            ("{{ business_date | date('%H:%M') }}", "line 1: `%H:%M` is no format of a date, like `%d.%m.%Y`"),
            ("{{ 'soon' - 1 day }}", "line 1: `soon` is no date like 2026-04-01"),
            (
                "{{ run_date | plus(days=99999999999) }}",
                "line 1: the calendar ends before `2026-03-31` is moved that far",
            ),
            (
                "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
                "line 1: the text goes on for too long; is there a loop that does not end?",
            ),
            ("{{ 'x' * 5000000 }}", "line 1: the text becomes longer than 4 MB"),
        ] {
            assert_eq!(text(source).err().as_deref(), Some(expected), "{source}");
        }
    }

    #[test]
    fn syntax_is_checked_without_values() {
        let expressions = Expressions::default();
        assert_eq!(expressions.check("{{ whatever.there - 1 day }}"), Ok(()));
        let fault = expressions.check("Dear\n{{ recipient.name }").expect_err("it does not close");
        assert_eq!(fault.line, 2);
        assert!(!fault.text.is_empty());
    }

    #[test]
    fn values_are_escaped_for_where_they_stand() {
        let context = json!({ "company": "<A & B>/..", "base": "http://a" });
        let expressions = Expressions::default();
        assert_eq!(
            expressions.render_html("<p>{{ company }}", &context).as_deref(),
            Ok("<p>&lt;A &amp; B&gt;&#x2f;..")
        );
        assert_eq!(expressions.render_text("{{ company }}", &context).as_deref(), Ok("<A & B>/.."));
        assert_eq!(
            expressions.render_url("{{ base | safe }}/r/{{ company }}?n={{ 1 + 1 }}", &context).as_deref(),
            Ok("http://a/r/%3CA%20%26%20B%3E%2F..?n=2")
        );
        assert!(expressions.render_url("http://a/{{ nothing }}", &context).is_err());
    }

    #[test]
    fn only_text_with_holes_is_an_expression() {
        let expressions = Expressions::default();
        let context = json!({ "n": 7 });
        for (value, expected) in [(json!("{{ n }}"), json!("7")), (json!("n"), json!("n")), (json!(7), json!(7))] {
            assert_eq!(expressions.evaluate(&value, &context), Ok(expected));
        }
    }
}
