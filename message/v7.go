package message

import "encoding/json"

// The methods of this file exist so that programs written for erpc v7 compile and
// work. New programs do not need them.

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

// DecodeQuery sets s to the status in query text, and to OK if the text is not a
// status. [ParseStatus] distinguishes the two.
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
	if err != nil { // can't happen: any text can be encoded
		return "{}"
	}
	return string(b)
}
