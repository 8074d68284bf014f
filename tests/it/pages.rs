//! The page and what is around it, over plain HTTP.

use std::fs;

use crate::http::ask;
use crate::server::Server;

#[tokio::test]
async fn our_page_has_a_strict_policy_and_its_files_built_in_or_from_a_folder() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
    for server in [Server::start(), Server::start_with(&[("TEMPLATES_DIR", folder)])] {
        assert_strict(&server).await;
    }
}

async fn assert_strict(server: &Server) {
    let page = ask(server, "GET", "/").await;
    assert_eq!(page.status, 200);
    assert!(page.head.contains("content-type: text/html; charset=utf-8"), "{}", page.head);
    for rule in ["script-src 'self';", "style-src 'self' 'nonce-", "require-trusted-types-for 'script'"] {
        assert!(page.head.contains(rule), "{rule} in {}", page.head);
    }
    assert!(!page.head.contains("unsafe-inline"), "{}", page.head);
    for header in ["x-content-type-options: nosniff", "referrer-policy: same-origin", "frame-ancestors 'none'"] {
        assert!(page.head.contains(header), "{header} in {}", page.head);
    }
    let script = ask(server, "GET", "/static/app.js").await;
    assert_eq!(script.status, 200);
    assert!(script.head.contains("content-type: text/javascript"), "{}", script.head);
    assert!(script.head.contains("cache-control: no-cache"), "{}", script.head);
}

#[tokio::test]
async fn refusals_are_flasks() {
    let server = Server::start();
    for path in ["/nope", "/static/nope.js", "/socket.io", "/static/../Cargo.toml", "/static/%2e%2e/Cargo.toml"] {
        let answer = ask(&server, "GET", path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("<title>404 Not Found</title>"), "{path}: {}", answer.body);
    }
    let answer = ask(&server, "POST", "/").await;
    assert_eq!(answer.status, 405);
    assert!(answer.body.contains("<h1>Method Not Allowed</h1>"), "{}", answer.body);
    let answer = ask(&server, "OPTIONS", "/admin/stats").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert!(answer.head.contains("allow: options, head, get"), "{}", answer.head);
    assert_eq!(ask(&server, "HEAD", "/").await.body, "");
}

#[tokio::test]
async fn numbers_about_the_server_are_not_for_everyone() {
    let server = Server::start();
    let answer = ask(&server, "GET", "/admin/stats").await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("\"code\":\"forbidden\""), "{}", answer.body);
}

#[tokio::test]
async fn health_is_told() {
    let server = Server::start();
    assert_eq!(ask(&server, "GET", "/healthz").await.body, "ok\n");
    assert_eq!(ask(&server, "GET", "/readyz").await.body, "ready\n");
}

/// A deployment's own page, with what Flask pages use.
fn deploy(template: &str) -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let [templates, statics] = ["templates", "static"].map(|name| folder.path().join(name));
    fs::create_dir(&templates).unwrap();
    fs::create_dir(&statics).unwrap();
    fs::write(templates.join("index.html"), template).unwrap();
    fs::write(
        templates.join("base.html"),
        "<title>{% block title %}{% endblock %}</title>{% block body %}{% endblock %}",
    )
    .unwrap();
    fs::write(statics.join("my app.js"), "hello()").unwrap();
    let shown = |path: std::path::PathBuf| path.display().to_string();
    (folder, shown(templates), shown(statics))
}

#[tokio::test]
async fn a_flask_page_is_rendered_as_flask_renders_it() {
    let (_folder, templates, statics) = deploy(
        "{% extends 'base.html' %}{% block title %}Chat{% endblock %}{% block body %}\
         <script>var js = \"{{ url_for('static', filename='my app.js', v=3) }}\";</script>\
         <a href=\"{{ url_for('index') }}\">{{ request.path }} {{ request.args.get('q') }} {{ request.method }}</a>\
         {{ config.DEBUG }} {{ config['PORT'] }} {{ config.SECRET_KEY }}|{{ session.get('user', 'nobody') }}\
         {% for message in get_flashed_messages(with_categories=true) %}{{ message }}{% endfor %}\
         {% if csrf_token() %}token{% endif %}{% endblock %}",
    );
    let server = Server::start_with(&[
        ("TEMPLATES_DIR", &templates),
        ("STATIC_DIR", &statics),
        ("SECRET_KEY", "hush-hush-hush"),
    ]);
    let page = ask(&server, "GET", "/?q=%3Cb%3E+c").await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("var js = \"/static/my%20app.js?v=3\""), "{}", page.body);
    assert!(page.body.contains("<a href=\"/\">/ &lt;b&gt; c GET</a>"), "{}", page.body);
    assert!(page.body.contains("nobodytoken"), "{}", page.body);
    assert!(!page.body.contains("hush"), "{}", page.body);
    assert!(page.head.contains("'unsafe-inline'"), "its inline script runs: {}", page.head);
    let script = ask(&server, "GET", "/static/my%20app.js?v=3").await;
    assert_eq!(script.body, "hello()");
}

#[tokio::test]
async fn a_broken_template_is_explained_in_development_and_not_in_production() {
    let (_folder, templates, _) = deploy("line one\n{{ url_for('nowhere') }}\n");
    let server = Server::start_with(&[("TEMPLATES_DIR", &templates)]);
    let page = ask(&server, "GET", "/").await;
    assert_eq!(page.status, 500);
    assert!(page.body.contains("index.html, line 2"), "{}", page.body);
    assert!(page.body.contains("nowhere"), "{}", page.body);
    let production =
        [("FLASK_ENV", "production"), ("SECRET_KEY", "0123456789abcdef01234"), ("TEMPLATES_DIR", &templates)];
    let server = Server::start_with(&production);
    let page = ask(&server, "GET", "/").await;
    assert_eq!(page.status, 500);
    assert!(page.body.contains("<h1>Internal Server Error</h1>"), "{}", page.body);
    assert!(!page.body.contains("nowhere"), "{}", page.body);
}
