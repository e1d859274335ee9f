package session

import (
	"fmt"
	"slices"
	"strings"
)

// size is the length of the file in bytes.
func (d *document) size() int {
	n := len(d.mark)
	for _, line := range d.lines {
		n += len(line)
	}
	return n
}

// login returns what the keys say.
func (d *document) login() Login {
	var l Login
	for _, f := range fields() {
		if e, ok := d.entries[d.key(f)]; ok {
			_ = f.set(&l, e.value) // finish tried it
		}
	}
	if l.Dialect == "" && d.prefix == prefixKsctl {
		l.Dialect = ksctlDialect
	}
	return l
}

// key is what a field is called in this file. What ksctl does not know never
// has its prefix.
func (d *document) key(f field) string {
	if f.shared && d.prefix == prefixKsctl {
		return prefixKsctl + f.name
	}
	return prefixOwn + f.name
}

// with returns the file with another login in it: the lines whose values differ
// are changed, missing ones come in order, all others stay as they are.
func (d *document) with(l Login) ([]byte, error) {
	fresh := d.prefix == ""
	next := *d
	next.lines, next.entries = slices.Clone(d.lines), nil
	if fresh {
		next.prefix = prefixOwn
		if l.Dialect == ksctlDialect {
			next.prefix = prefixKsctl
		}
	}
	old, last := d.login(), -1 // the line of the last key that was met
	added := make(map[int]string)
	for _, f := range fields() {
		key, value := next.key(f), f.get(&l)
		e, known := d.entries[key]
		text, err := f.spell(value)
		if err != nil {
			return nil, &Error{Problem: fmt.Sprintf("%s: the value of %s %v", d.name, key, err), Cause: ErrDamaged}
		}
		switch {
		case known && value == f.get(&old):
			last = e.line
		case known:
			last = e.line
			next.lines[last] = e.replace(next.lines[last], text)
		case value != "" && next.needs(f, value, fresh):
			added[last] += key + ": " + text + d.end
		}
	}
	next.insert(d.first(), added)
	return next.check(l)
}

// needs reports whether a key that is not there is to be written.
func (d *document) needs(f field, value string, fresh bool) bool {
	switch {
	case f.flag:
		return fresh || value == "true"
	case f.name == "DIALECT":
		return d.prefix != prefixKsctl || value != ksctlDialect
	}
	return true
}

// replace exchanges the value in a line.
func (e entry) replace(line, text string) string {
	before := line[:e.start]
	if strings.HasSuffix(before, ":") {
		before += " "
	}
	return before + text + line[e.end:]
}

// insert puts lines behind those they are to follow; what follows none comes
// before the first key of the login, or at the end.
func (d *document) insert(first int, added map[int]string) {
	for after := len(d.lines) - 1; after >= 0; after-- {
		if text := added[after]; text != "" {
			d.finishLine(after)
			d.lines = slices.Insert(d.lines, after+1, text)
		}
	}
	if text := added[-1]; text != "" {
		d.finishLine(first - 1)
		d.lines = slices.Insert(d.lines, first, text)
	}
}

// first is the line of the first key of the login, or the one behind the last.
func (d *document) first() int {
	n := len(d.lines)
	for _, e := range d.entries {
		n = min(n, e.line)
	}
	return n
}

// finishLine gives a file's last line its end.
func (d *document) finishLine(n int) {
	if n >= 0 && !strings.HasSuffix(d.lines[n], "\n") {
		d.lines[n] += d.end
	}
}

// check reads the file that is about to be written.
func (d *document) check(want Login) ([]byte, error) {
	data := d.bytes()
	again, err := parse(d.name, data)
	if err != nil {
		return nil, err
	}
	if want.Dialect == "" && again.prefix == prefixKsctl {
		want.Dialect = ksctlDialect
	}
	if !again.login().equal(want) {
		return nil, &Error{Problem: d.name + ": the new file would not be read as it was meant", Cause: ErrDamaged}
	}
	return data, nil
}

func (d *document) bytes() []byte { return []byte(d.mark + strings.Join(d.lines, "")) }

// without returns the file without the login; nothing when there is nothing
// else in it.
func (d *document) without() []byte {
	if !d.foreign {
		return nil
	}
	ours := make(map[int]bool)
	for _, e := range d.entries {
		ours[e.line] = true
	}
	rest := *d
	rest.lines = nil
	for i, line := range d.lines {
		if !ours[i] {
			rest.lines = append(rest.lines, line)
		}
	}
	return rest.bytes()
}
