package token

// AppendSegment decodes one segment of a JWT behind dst. It is as strict as
// DecodeSegment and refuses CR and LF itself, so that it can stand alone. The
// error is an ErrMalformed.
func AppendSegment(dst []byte, segment string) ([]byte, error) {
	for len(segment) >= 8 {
		a := sextets[segment[0]]<<18 | sextets[segment[1]]<<12 | sextets[segment[2]]<<6 | sextets[segment[3]]
		b := sextets[segment[4]]<<18 | sextets[segment[5]]<<12 | sextets[segment[6]]<<6 | sextets[segment[7]]
		if (a|b)&notSextet != 0 {
			return nil, errSegment
		}
		dst = append(dst, byte(a>>16), byte(a>>8), byte(a), byte(b>>16), byte(b>>8), byte(b))
		segment = segment[8:]
	}
	if len(segment) >= 4 {
		a := sextets[segment[0]]<<18 | sextets[segment[1]]<<12 | sextets[segment[2]]<<6 | sextets[segment[3]]
		if a&notSextet != 0 {
			return nil, errSegment
		}
		dst = append(dst, byte(a>>16), byte(a>>8), byte(a))
		segment = segment[4:]
	}
	var a, unused uint64
	switch len(segment) {
	case 0:
		return dst, nil
	case 2:
		a, unused = sextets[segment[0]]<<18|sextets[segment[1]]<<12, 0xffff
		dst = append(dst, byte(a>>16))
	case 3:
		a, unused = sextets[segment[0]]<<18|sextets[segment[1]]<<12|sextets[segment[2]]<<6, 0xff
		dst = append(dst, byte(a>>16), byte(a>>8))
	default:
		return nil, errSegment // a single character holds less than a byte
	}
	if a&(notSextet|unused) != 0 {
		return nil, errSegment
	}
	return dst, nil
}

var errSegment = malformed("a segment is not base64url without padding")

// notSextet is where the mark of a byte that is none may stand.
const notSextet = uint64(0xffffffff) << 32

// sextets is what a character of the base64url alphabet stands for (RFC 4648
// section 5). Any other byte is a mark that stays above the data when it is
// shifted by 0, 6, 12 or 18 bits.
var sextets = func() (t [256]uint64) {
	for i := range t {
		t[i] = 1 << 32
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		t[c] = uint64(i)
	}
	return t
}()
