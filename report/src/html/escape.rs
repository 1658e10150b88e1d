//! Text made safe to stand in a page: kernels, names and command lines are nobody's markup.

use crate::text::printable;

/// Text for between tags and for inside of quoted attributes. Control characters and text-direction marks are shown
/// as replacement characters; line breaks become spaces.
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in printable(&text.replace('\n', " ")).chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            _ => out.push(c),
        }
    }
    out
}

/// Words of a report: what stands between two backticks becomes code.
pub fn prose(words: &str) -> String {
    let parts: Vec<_> = words.split('`').collect();
    let paired = parts.len() % 2 == 1;
    let mut out = String::new();
    for (position, part) in parts.iter().enumerate() {
        match (paired, position % 2) {
            (true, 0) => out += &text(part),
            (true, _) => out += &format!("<code>{}</code>", text(part)),
            (false, 0) if position == 0 => out += &text(part),
            (false, _) => out += &format!("`{}", text(part)),
        }
    }
    out
}

/// At most `most` characters, the last of them an ellipsis where more were there.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(text("</script>\"'&\u{1b}\u{202e}\n"), "&lt;/script&gt;&quot;&#39;&amp;\u{fffd}\u{fffd} ");
    }

    #[test]
    fn paired_backticks_become_code() {
        assert_eq!(prose("race on `a<b`!"), "race on <code>a&lt;b</code>!");
        assert_eq!(prose("one ` alone<"), "one ` alone&lt;");
        assert_eq!(prose("three `a` and ` more"), "three `a` and ` more");
    }

    #[test]
    fn long_text_is_cut_with_a_sign() {
        assert_eq!((cut("größe", 5), cut("größer", 5)), ("größe".to_owned(), "größ…".to_owned()));
    }
}
