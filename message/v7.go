package message

import "encoding/json"

// What stands in this file is there so that programs written against erpc v7
// compile and work. New programs need none of it.

// EncodeQuery returns the status as query text, nil for nil. See
// [Status.AppendQuery].
func (s *Status) EncodeQuery() []byte {
	if s == nil {
		return nil
	}
	return s.AppendQuery(nil)
}

// QueryString returns the text of [Status.EncodeQuery].
func (s *Status) QueryString() string { return string(s.EncodeQuery()) }

// DecodeQuery makes s the status that is written as query text, OK if that is no
// status. [ParseStatus] tells the two apart.
func (s *Status) DecodeQuery(query []byte) {
	if s == nil {
		return
	}
	*s = Status{}
	if st, err := ParseStatus(query); err == nil && st != nil {
		*s = *st
	}
}

// JSONString returns the status as JSON.
func (s *Status) JSONString() string {
	if s == nil {
		return "{}"
	}
	b, err := json.Marshal(s)
	if err != nil { // no text can make it fail
		return "{}"
	}
	return string(b)
}
