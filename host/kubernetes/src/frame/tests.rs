use super::*;

/// Feeds `body` in pieces of `size` bytes.
fn split(body: &str, size: usize) -> (Vec<String>, Result<ListEnd, ListError>) {
    let mut splitter = ListSplitter::default();
    let mut items = Vec::new();
    for piece in body.as_bytes().chunks(size) {
        let fed = splitter.feed(piece, |frame| match frame {
            Frame::Whole(item) => items.push(String::from_utf8_lossy(item).trim().to_owned()),
            Frame::Oversized => items.push("oversized".to_owned()),
        });
        if let Err(error) = fed {
            return (items, Err(error));
        }
    }
    (items, splitter.finish())
}

fn lines(text: &str, size: usize) -> Vec<String> {
    let mut splitter = Lines::default();
    let mut lines = Vec::new();
    for piece in text.as_bytes().chunks(size) {
        splitter.feed(piece, |frame| match frame {
            Frame::Whole(line) => lines.push(String::from_utf8_lossy(line).into_owned()),
            Frame::Oversized => lines.push("oversized".to_owned()),
        });
    }
    lines
}

#[test]
fn items_are_split_whatever_the_pieces() {
    let items = [
        r#"{"a":{"b":[1,{"c":"]},{"}]}}"#,
        r#"{"items":["x",{"y":"\"]}\\"}]}"#,
        r"{}",
        r#"{"n":null,"s":"größe \\\" ,"}"#,
    ];
    let body = format!(
        "{{\"kind\":\"PodList\",\"x\":[1,[2]],\"metadata\":{{\"resourceVersion\":\"12\",\
         \"continue\":\"abc\"}}, \"items\" : [ {} ]\n}}\n",
        items.join(" ,\n ")
    );
    for size in 1..=body.len() {
        let (split, end) = split(&body, size);
        assert_eq!(split, items, "pieces of {size}");
        let end = end.unwrap();
        assert_eq!(end.resource_version, "12");
        assert_eq!(end.continue_token.as_deref(), Some("abc"));
    }
}

#[test]
fn metadata_may_follow_the_items() {
    let body = r#"{"items":[{"a":1}],"metadata":{"resourceVersion":"7","continue":""}}"#;
    for size in 1..=body.len() {
        let (items, end) = split(body, size);
        assert_eq!(items, [r#"{"a":1}"#]);
        assert_eq!(
            end.unwrap(),
            ListEnd {
                resource_version: "7".to_owned(),
                continue_token: None
            }
        );
    }
}

#[test]
fn empty_lists_have_no_items() {
    for items in ["[]", "[ ]", "null"] {
        let body = format!(r#"{{"metadata":{{"resourceVersion":"7"}},"items":{items}}}"#);
        for size in [1, 3, 1000] {
            let (found, end) = split(&body, size);
            assert!(found.is_empty());
            assert_eq!(end.unwrap().resource_version, "7");
        }
    }
}

#[test]
fn what_is_no_object_is_one_item_and_spoils_no_other() {
    let body = r#"{"items":[{"a":1}, null, 7, "x,]", [{}], {"b":2}],"metadata":{}}"#;
    for size in [1, 2, 5, 1000] {
        let (items, end) = split(body, size);
        assert_eq!(
            items,
            [r#"{"a":1}"#, "null", "7", "\"x,]\"", "[{}]", r#"{"b":2}"#]
        );
        end.unwrap();
    }
}

#[test]
fn a_body_that_breaks_off_is_an_error_and_never_an_empty_list() {
    let body = r#"{"metadata":{"resourceVersion":"7"},"items":[{"a":"x"},{"b":2}]}"#;
    for end in 0..body.len() {
        let (_, result) = split(&body[..end], 7);
        assert!(
            matches!(result, Err(ListError::Cut)),
            "cut at {end}: {result:?}"
        );
    }
}

#[test]
fn what_is_no_list_is_an_error() {
    for body in [
        "<html>",
        r#"{"kind":"Status"}"#,
        "[1]",
        "7",
        r#"{"items":7}"#,
    ] {
        assert!(split(body, 4).1.is_err(), "{body}");
    }
    let long = format!(r#"{{"x":"{}","items":[]}}"#, "y".repeat(MAX_ENVELOPE));
    assert!(matches!(split(&long, 1 << 16).1, Err(ListError::Envelope)));
}

#[test]
fn an_item_beyond_the_bound_is_dropped_alone() {
    let big = format!(r#"{{"x":"{}"}}"#, "y".repeat(MAX_OBJECT));
    let body = format!(r#"{{"items":[{{"a":1}},{big},{{"b":2}}],"metadata":{{}}}}"#);
    for size in [1 << 16, body.len()] {
        let (items, end) = split(&body, size);
        assert_eq!(items, [r#"{"a":1}"#, "oversized", r#"{"b":2}"#]);
        end.unwrap();
    }
}

#[test]
fn lines_are_split_whatever_the_pieces() {
    let text = "{\"a\":1}\n\n{\"b\":\"größe\"}\r\n{\"c\":3}\nrest without end";
    for size in 1..=text.len() {
        assert_eq!(
            lines(text, size),
            ["{\"a\":1}", "{\"b\":\"größe\"}\r", "{\"c\":3}"],
            "pieces of {size}"
        );
    }
}

#[test]
fn a_line_beyond_the_bound_is_dropped_alone() {
    let text = format!("a\n{}\nb\n", "x".repeat(MAX_OBJECT + 1));
    for size in [1 << 16, text.len()] {
        assert_eq!(lines(&text, size), ["a", "oversized", "b"]);
    }
}
