package main

import (
	"encoding/json"
	"testing"
)

// issue 9.7: what is printed is the text that the daemon has answered, whatever is in it
func TestMetricsIn(t *testing.T) {
	for _, text := range []string{"", "a", "keepalivedd_up{program=\"a\\\\b\\nc\"} 1\n",
		"<&>\t\r\x00\u2028é\U0001F600\ufffd\xff", `\`, `"`,
		`","x":"`} {
		answer, err := json.Marshal(metricsAnswer{text})
		if err != nil {
			t.Fatal(err)
		}
		var want metricsAnswer
		json.Unmarshal(answer, &want)
		if got, err := metricsIn(answer); err != nil || got != want.Text {
			t.Errorf("%s: %q, %v", answer, got, err)
		}
	}
	for answer, want := range map[string]string{
		`{"text":"a","more":"b"}`: "a", `{ "text" : "a" }`: "a", `{"text":"a\u0041\/"}`: "aA/", `{}`: "",
	} {
		if got, err := metricsIn([]byte(answer)); err != nil || got != want {
			t.Errorf("%s: %q, %v", answer, got, err)
		}
	}
	for _, answer := range []string{``, `{"text":"\"}`, `{"text":"a"`, `{"text":3}`, `[]`, `{"text":"\x"}`} {
		if got, err := metricsIn([]byte(answer)); err == nil {
			t.Errorf("%s: %q", answer, got)
		}
	}
}

// Whatever a daemon answers, what is found in it is what a decoder would find.
func FuzzMetricsIn(f *testing.F) {
	f.Add([]byte(`{"text":"a\nb\"c\\"}`))
	f.Add([]byte(`{"text":"a","text":"b\u0041"}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		got, err := metricsIn(answer)
		var want metricsAnswer
		if wrong := json.Unmarshal(answer, &want); wrong == nil && (err != nil || got != want.Text) {
			t.Fatalf("%q: %q, %v; want %q", answer, got, err, want.Text)
		}
	})
}
