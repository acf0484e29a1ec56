use super::*;

#[test]
fn the_usual_form_is_split_without_parsing() {
    for (line, split) in [
        (
            r#"{"type":"ADDED","object":{"a":1}}"#,
            Some(("ADDED", r#"{"a":1}"#)),
        ),
        ("{\"type\":\"X\",\"object\":7}\r", Some(("X", "7"))),
        (r#"{"type":"ADDED", "object":{"a":1}}"#, None),
        (r#"{"object":{"a":1},"type":"ADDED"}"#, None),
        (r#"{"type":"ADDED","object":"#, None),
        ("", None),
    ] {
        let found = split_usual(line.as_bytes());
        assert_eq!(
            found,
            split.map(|(kind, object)| (kind, object.as_bytes())),
            "{line}"
        );
    }
}

#[test]
fn any_form_is_split_as_json() {
    let (kind, object) =
        split_any(br#" { "object" : {"a": 1} , "x": 2, "type":"A\u0042" } "#).unwrap();
    assert_eq!((kind.as_str(), object), ("AB", br#"{"a": 1}"#.as_slice()));
    assert!(split_any(br#"{"type":"A"}"#).is_err());
}

#[test]
fn a_cursor_never_goes_back() {
    let mut cursor = Cursor::new("10");
    assert!(cursor.advance("12"));
    assert!(cursor.advance(""));
    assert_eq!(cursor.version, "12");
    assert!(!cursor.advance("9"));
    assert_eq!(cursor.version, "12");
    // Versions are opaque where they are no numbers.
    let mut cursor = Cursor::new("abc");
    assert!(cursor.advance("aaa"));
    assert_eq!(cursor.version, "aaa");
}
