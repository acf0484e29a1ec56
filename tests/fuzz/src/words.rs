//! What runs begin with, and words that mean something to each target.

use crate::targets::Target;

/// Between spaces; `\s`, `\n`, `\r` and `\t` are what they are in Rust, and a space.
const CONFIG: &str = r#"\n \s\s -\s :\s { } [ ] " ' | >- &a\s *a <<:\s*a !!binary\s !!str\s ~ null yes 0x1F 1e400 .nan 2001-01-01 #\s ---\n ...\n
scrape_configs: job_name:\s relabel_configs: regex:\s \t \r\n %YAML\s1.1\n ?\s $1 ${A} 1h30m 0s"#;
const REGEX: &str = r"( ) [ ] { } * + ? | ^ $ \ \b \pL \p{Greek} \PN [[:alpha:]] (?i) (?s: (?P<a> (?<a> \Q \E \x{10FFFF} \C \z {1000} {2,} {,5} .
- && \x7F ſ K \n";
const HTTP_LIST: &str = r#"[ ] { } , : " null "targets" "labels" \u0000 \ud800 1e999 true "" \n"#;
const MADS: &str = r#"/ shards -of- %2F %00 %ff { } " : null "node" "version_info" "response_nonce" "error_detail" v3 \s"#;
const MATCHERS: &str =
    r#"match= & { } " ` ' =~ !~ != = , shard= / names= stage= % %22 \ ( ) * \x \u00e4 \s"#;

/// The words of a target.
pub(crate) fn of(target: Target) -> Vec<String> {
    let words = match target {
        Target::Config => CONFIG,
        Target::Regex => REGEX,
        Target::HttpList => HTTP_LIST,
        Target::Mads => MADS,
        Target::Matchers => MATCHERS,
    };
    let escapes = [(r"\s", " "), (r"\n", "\n"), (r"\r", "\r"), (r"\t", "\t")];
    let unescaped = |word: &str| {
        let word = word.to_owned();
        escapes
            .iter()
            .fold(word, |word, (from, to)| word.replace(from, to))
    };
    words.split_whitespace().map(unescaped).collect()
}

/// Inputs that are written by hand.
pub(crate) fn seeds(target: Target) -> &'static [&'static str] {
    match target {
        Target::Config => &[
            "scrape_configs:\n- job_name: a\n  static_configs: [{targets: ['b:1'], labels: {c: d}}]\n",
            "plugins:\n- source: file:x.wasm\n  allow: {http: [https://a.example], files: [/a/*]}\n  limits: {memory: 1MiB}\n",
            "clusters:\n- {name: a, kubeconfig_file: b}\nscrape_configs:\n- job_name: k\n  kubernetes_sd_configs: [{role: pod, clusters: ['a*']}]\n",
            "target_allocator: {strategy: per-node}\n",
        ],
        Target::Regex => &["(a|b)+", r"[^\pL\d]{2,5}?", "(?i:x)(?P<n>y)"],
        Target::HttpList => &[
            r#"[{"targets":["a:1","b:2"],"labels":{"x":"y"}}]"#,
            r#"[{"TARGETS":[null],"Labels":null},null]"#,
            "null",
        ],
        Target::Mads => &[
            r#"/mads/web/v3/discovery:monitoringassignments {"version_info":"","response_nonce":"","type_url":"type.googleapis.com/kuma.observability.v1.MonitoringAssignment","resource_names":[],"node":{"id":"a"},"error_detail":{"code":1,"message":"b"}}"#,
            r#"/mads/web/shards/0-of-2/v3/discovery:monitoringassignments {"node":null}"#,
        ],
        Target::Matchers => &[
            r#"match={zone="east",kind=~"a|b"}"#,
            r#"match=up{zone!="east"}&match={"näme"!~".+"}"#,
            "shard=0/3&stage=discovered&names=legacy",
            "stage=transformed&match={__address__=~`a.*`}",
        ],
    }
}
