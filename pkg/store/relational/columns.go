package relational

import "encoding/json"

// encodeList is how a list is kept: a JSON array.
func encodeList(list []string) string {
	text, _ := json.Marshal(append([]string{}, list...)) // strings cannot fail
	return string(text)
}

// decodeList reads it back; none is nil.
func decodeList(text string) (list []string, err error) {
	if text == "[]" { // as most are
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) == 0 {
		return nil, err
	}
	return list, nil
}

// orNone is how they are read: none is nil.
func orNone(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// blob is how bytes are kept: nil would be NULL.
func blob(b []byte) []byte { return append([]byte{}, b...) }
