//! Templates as Flask renders them: `url_for`, `request`, `config`, `session`, `get_flashed_messages`, `csrf_token`,
//! and escaping by the ending of the file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, context, escape_formatter, path_loader};

use crate::config::Config;
use crate::types::random_bytes;

/// The routes that `url_for` knows besides `static`, under the names of the original's functions.
const ROUTES: [(&str, &str); 3] = [("index", "/"), ("account", "/account"), ("admin_stats", "/admin/stats")];

pub struct Templates {
    environment: Environment<'static>,
    config: BTreeMap<&'static str, Value>,
}

/// What templates see of the request.
pub struct RequestFacts {
    pub method: String,
    pub path: String,
    pub query: String,
    pub host: String,
    pub remote_addr: String,
    pub user_agent: String,
    pub secure: bool,
    /// What a form sends back to show that it came from a page of ours.
    pub csrf_token: String,
}

pub struct Rendered {
    pub html: String,
    /// Set when the page asked for a nonce: then it is written for a strict policy.
    pub nonce: Option<String>,
    /// Whether it said `csp_nonce(trusted_types=true)`: no script of it is in the page, or made of a text.
    pub trusted_types: bool,
}

impl Templates {
    /// `built_in` gives a template where no folder of templates is set.
    pub fn new(config: &Config, built_in: fn(&str) -> Option<String>) -> Self {
        let mut environment = Environment::new();
        match config.templates_dir.clone() {
            // What a deployment's own folder lacks, such as the page for accounts, is built in.
            Some(folder) => {
                let own = path_loader(folder);
                let others = move |name: &str| built_in(name).filter(|_| name != "index.html").map(Into::into);
                environment.set_loader(move |name| Ok(own(name)?.or_else(|| others(name))));
            }
            None => environment.set_loader(move |name| Ok(built_in(name))),
        }
        environment.set_auto_reload(!config.production);
        environment.set_debug(!config.production);
        environment.set_auto_escape_callback(escapes_like_flask);
        environment.set_formatter(escape_like_flask);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("url_for", url_for);
        environment.add_function("get_flashed_messages", |_: Rest<Value>, _: Kwargs| Vec::<Value>::new());
        Self { environment, config: flask_config(config) }
    }

    /// The error says file, line and what was wrong: for the log and for the page shown in development.
    pub fn render(&self, name: &str, request: &RequestFacts) -> Result<Rendered, minijinja::Error> {
        let nonce = BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<16>());
        let asked = Arc::new(AtomicBool::new(false));
        let trusted = Arc::new(AtomicBool::new(false));
        let csp_nonce = {
            let (nonce, asked, trusted) = (nonce.clone(), asked.clone(), trusted.clone());
            move |options: Kwargs| -> Result<String, minijinja::Error> {
                asked.store(true, Ordering::Relaxed);
                trusted.fetch_or(options.get::<Option<bool>>("trusted_types")?.unwrap_or(false), Ordering::Relaxed);
                options.assert_all_used()?;
                Ok(nonce.clone())
            }
        };
        let csrf = request.csrf_token.clone();
        let context = context! {
            request => request_value(request),
            config => Value::from_pairs(self.config.clone()),
            session => Value::from_pairs([] as [(&str, Value); 0]),
            csp_nonce => Value::from_function(csp_nonce),
            csrf_token => Value::from_function(move || csrf.clone()),
        };
        let html = self.environment.get_template(name)?.render(context)?;
        let nonce = asked.load(Ordering::Relaxed).then_some(nonce);
        Ok(Rendered { html, nonce, trusted_types: trusted.load(Ordering::Relaxed) })
    }
}

/// For people: the file, the line, and what was wrong there.
pub fn describe(error: &minijinja::Error) -> String {
    let place = match (error.name(), error.line()) {
        (Some(name), Some(line)) => format!("{name}, line {line}: "),
        (Some(name), None) => format!("{name}: "),
        _ => String::new(),
    };
    format!(
        "{place}{}",
        error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()))
    )
}

/// Where Flask keeps its templates; for the message when one is missing.
pub fn folder(config: &Config) -> PathBuf {
    config.templates_dir.clone().unwrap_or_else(|| "(built in)".into())
}

/// Flask escapes in these and in no others (`Flask.select_jinja_autoescape`).
fn escapes_like_flask(name: &str) -> AutoEscape {
    match name.rsplit('.').next() {
        Some("html" | "htm" | "xml" | "xhtml" | "svg") => AutoEscape::Html,
        _ => AutoEscape::None,
    }
}

/// MarkupSafe's escapes. MiniJinja's own escapes slashes as well, and pages have URLs inside of scripts.
fn escape_like_flask(out: &mut Output, state: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    if *state.auto_escape() != AutoEscape::Html || value.is_safe() || value.as_str().is_none() {
        return escape_formatter(out, state, value);
    }
    for c in value.as_str().unwrap_or_default().chars() {
        let written = match c {
            '&' => out.write_str("&amp;"),
            '<' => out.write_str("&lt;"),
            '>' => out.write_str("&gt;"),
            '\'' => out.write_str("&#39;"),
            '"' => out.write_str("&#34;"),
            c => std::fmt::Write::write_char(out, c),
        };
        written.map_err(|_| minijinja::Error::new(ErrorKind::WriteFailure, "the page cannot be written"))?;
    }
    Ok(())
}

fn url_for(endpoint: &str, values: Kwargs) -> Result<String, minijinja::Error> {
    let fail = |detail: String| minijinja::Error::new(ErrorKind::InvalidOperation, detail);
    let base = match endpoint.trim_start_matches('.') {
        "static" => format!("/static/{}", quote(&values.get::<String>("filename")?)),
        name => match ROUTES.iter().find(|(route, _)| *route == name) {
            Some((_, path)) => (*path).to_owned(),
            None => {
                let known: Vec<_> = ROUTES.iter().map(|(route, _)| *route).collect();
                return Err(fail(format!("url_for knows no \"{endpoint}\", only static, {}", known.join(", "))));
            }
        },
    };
    let rest = values.args().filter(|name| *name != "filename" && !name.starts_with('_'));
    let query: Vec<String> = rest
        .map(|name| Ok(format!("{}={}", quote(name), quote(&values.peek::<Value>(name)?.to_string()))))
        .collect::<Result<_, minijinja::Error>>()?;
    Ok(if query.is_empty() { base } else { format!("{base}?{}", query.join("&")) })
}

/// Percent-encodes what a path or a query cannot hold (RFC 3986, section 2).
fn quote(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

fn request_value(request: &RequestFacts) -> Value {
    let scheme = if request.secure { "https" } else { "http" };
    let url = format!("{scheme}://{}{}", request.host, request.path);
    let args =
        form_urlencoded::parse(request.query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned()));
    context! {
        method => &request.method,
        path => &request.path,
        full_path => format!("{}?{}", request.path, request.query),
        query_string => &request.query,
        args => Value::from_pairs(args.collect::<BTreeMap<_, _>>()),
        host => &request.host,
        url => &url,
        base_url => &url,
        url_root => format!("{scheme}://{}/", request.host),
        host_url => format!("{scheme}://{}/", request.host),
        remote_addr => &request.remote_addr,
        endpoint => "index",
        is_secure => request.secure,
        scheme,
        user_agent => &request.user_agent,
    }
}

/// Flask's `config` as far as it is no secret.
fn flask_config(config: &Config) -> BTreeMap<&'static str, Value> {
    let mut values: BTreeMap<_, _> = config.public_values().map(|(name, value)| (name, Value::from(value))).collect();
    values.insert("DEBUG", Value::from(!config.production));
    values.insert("TESTING", Value::from(false));
    values.insert("ENV", Value::from(if config.production { "production" } else { "development" }));
    values
}
