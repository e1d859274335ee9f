// Package armour reads keys in PEM (RFC 7468) as people hand them in: with line
// ends, with `\n` written out or blanks in their place, between quotes, behind
// blanks.
//
// It never judges what a key is good for, and no error of it holds a part of the
// text that it read.
//
//	blocks, err := armour.Blocks(text)
//	key, err := armour.Public(blocks[0].DER)
package armour

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const (
	begin  = "-----BEGIN "
	dashes = "-----"
	// maxLabel is more than any label of a key has, in bytes.
	maxLabel = 40
)

// Block is what stands between a BEGIN line and its END line.
type Block struct {
	// Label is what both lines say: "PUBLIC KEY". It is up to 40 capitals, digits,
	// dots and blanks.
	Label string
	// DER is what the base64 between them holds, nil where it is Encrypted.
	DER []byte
	// Encrypted: a passphrase is needed to read it (RFC 5958 section 3, RFC 1421
	// section 4.6.1.1).
	Encrypted bool
}

// Blocks returns all blocks of a text in their order; none, where there is no
// BEGIN line. What stands around them is no matter. Parameters of a curve, which
// openssl writes in front of a key on it, are left out: the key has them too.
// The error says what is wrong with a block.
func Blocks(text string) ([]Block, error) {
	var blocks []Block
	for {
		_, rest, found := strings.Cut(text, begin)
		if !found {
			return blocks, nil
		}
		label, body, rest, err := cutBlock(rest)
		if err != nil {
			return nil, fmt.Errorf("a PEM block %w", err)
		}
		if text = rest; label == "EC PARAMETERS" {
			continue
		}
		b := Block{Label: label, Encrypted: encrypted(label, body)}
		if !b.Encrypted {
			if b.DER, err = decode(body); err != nil {
				return nil, fmt.Errorf("a PEM block %w", err)
			}
		}
		blocks = append(blocks, b)
	}
}

// cutBlock takes a block from a text that begins with its label.
func cutBlock(text string) (label, body, rest string, err error) {
	label, rest, found := strings.Cut(text, dashes)
	if !found || !isLabel(label) {
		return "", "", "", errors.New("whose BEGIN line is damaged")
	}
	body, rest, _ = strings.Cut(rest, dashes)
	end, rest, ended := strings.Cut(rest, dashes)
	switch {
	case strings.HasPrefix(end, "BEGIN "):
		return "", "", "", errors.New("that does not end: another begins before its END line")
	case !ended:
		return "", "", "", errors.New("that does not end: its END line is missing or cut off")
	case !strings.HasPrefix(end, "END "):
		return "", "", "", errors.New("whose END line is damaged")
	case end[len("END "):] != label:
		return "", "", "", errors.New("whose END line is of another kind than its BEGIN line")
	}
	return label, body, rest, nil
}

// isLabel refuses what could be a part of the key, where dashes are missing.
func isLabel(s string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789. "
	return len(s) <= maxLabel && strings.Trim(s, letters) == ""
}

func encrypted(label, body string) bool {
	return strings.HasPrefix(label, "ENCRYPTED") || strings.Contains(body, "Proc-Type:") && strings.Contains(body, "ENCRYPTED")
}

// decode reads the base64 of a block.
func decode(body string) ([]byte, error) {
	text := bare(body)
	if text == "" {
		return nil, errors.New("with nothing in it")
	}
	der, err := base64.StdEncoding.Strict().DecodeString(text)
	var at base64.CorruptInputError
	if errors.As(err, &at) {
		return nil, fmt.Errorf("whose base64 is broken at character %d of %d, blanks and line ends not counted", min(int(at)+1, len(text)), len(text))
	}
	return der, err
}

// bare drops white space, and line ends and tabs that are written out. What
// wrote them out may have been quoted once more, so any number of backslashes
// goes.
func bare(body string) string {
	var b strings.Builder
	escaped := false
	for _, c := range []byte(body) {
		blank := strings.IndexByte(" \t\r\n\v\f", c) >= 0 || c == '\\'
		if !blank && (!escaped || strings.IndexByte("nrt", c) < 0) {
			b.WriteByte(c)
		}
		escaped = c == '\\'
	}
	return b.String()
}
