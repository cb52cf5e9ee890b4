//! XML answers of stores, read as a small tree: servers differ in namespaces, order and what they leave out.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Deeper than any store's answer.
const DEPTH_MAX: usize = 16;

/// One element: local name, its text, its children in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Node>,
}

impl Node {
    /// The document's root element; `None` if this is not well-formed XML.
    pub(super) fn parse(bytes: &[u8]) -> Option<Node> {
        let mut reader = Reader::from_reader(bytes);
        let mut open = vec![Node::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => {
                    if open.len() > DEPTH_MAX {
                        return None;
                    }
                    open.push(Node::named(start.local_name().as_ref())?);
                }
                Event::Empty(start) => {
                    let node = Node::named(start.local_name().as_ref())?;
                    open.last_mut()?.children.push(node);
                }
                Event::End(_) => {
                    let node = open.pop()?;
                    open.last_mut()?.children.push(node);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
                Event::CData(data) => open.last_mut()?.text.push_str(&data.decode().ok()?),
                Event::GeneralRef(name) => {
                    let character = match name.resolve_char_ref().ok()? {
                        Some(character) => character,
                        None => match name.decode().ok()?.as_ref() {
                            "amp" => '&',
                            "lt" => '<',
                            "gt" => '>',
                            "quot" => '"',
                            "apos" => '\'',
                            _ => return None,
                        },
                    };
                    open.last_mut()?.text.push(character);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        // Only the nameless one above the root may be open at the end.
        (open.len() == 1).then_some(())?;
        open.pop()?.children.pop()
    }

    fn named(name: &[u8]) -> Option<Node> {
        Some(Node { name: String::from_utf8(name.to_vec()).ok()?, ..Node::default() })
    }

    pub(super) fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|c| c.name == name)
    }

    /// Trimmed text of a child.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|c| c.text.trim())
    }
}
