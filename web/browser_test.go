package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"image"
	"image/draw"
	"image/png"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "make docs/web.png anew")

// browser is a Chromium that takes its commands from a pipe.
type browser struct {
	t       *testing.T
	to      *os.File
	from    *bufio.Reader
	session string
	wrong   []string // what it has to complain about
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	name, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs chromium, of Debian's package of that name")
	}
	theirs, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, answers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "chromium") // not the test's: its processes may write yet when it has ended
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(name, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--remote-debugging-pipe",
		"--user-data-dir="+dir)
	c.ExtraFiles = []*os.File{theirs, answers}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	answers.Close()
	b := &browser{t: t, to: to, from: bufio.NewReader(from)}
	t.Cleanup(func() {
		b.call("Browser.close", nil, nil)
		late := time.AfterFunc(10*time.Second, func() { c.Process.Kill() })
		c.Wait()
		late.Stop()
		to.Close()
		from.Close()
		os.RemoveAll(dir)
	})
	from.SetReadDeadline(time.Now().Add(8 * time.Minute))
	var made struct{ TargetID, SessionID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &made)
	b.call("Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &made)
	b.session = made.SessionID
	b.call("Log.enable", nil, nil)
	b.call("Runtime.enable", nil, nil)
	return b
}

// call has a command carried out.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	if refused := b.ask(method, params, result); refused != nil {
		b.t.Fatalf("%s: %s", method, refused)
	}
}

func (b *browser) ask(method string, params, result any) (refused json.RawMessage) {
	b.t.Helper()
	command := map[string]any{"id": 1, "method": method, "params": params}
	if b.session != "" && method != "Browser.close" {
		command["sessionId"] = b.session
	}
	line, _ := json.Marshal(command)
	b.to.Write(append(line, 0))
	for {
		said, err := b.from.ReadBytes(0)
		if err != nil {
			b.t.Errorf("%s: %v", method, err)
			return nil
		}
		var answer struct {
			ID            int
			Method        string
			Result, Error json.RawMessage
		}
		json.Unmarshal(said[:len(said)-1], &answer)
		if answer.Method == "Log.entryAdded" || answer.Method == "Runtime.exceptionThrown" {
			b.wrong = append(b.wrong, string(said))
		}
		if answer.ID != 0 {
			if result != nil {
				json.Unmarshal(answer.Result, result)
			}
			return answer.Error
		}
	}
}

// value is that of an expression of the page's, or of the promise that it is.
func (b *browser) value(expression string) any {
	b.t.Helper()
	value, refused := b.evaluate(expression)
	if refused != nil {
		b.t.Fatalf("%s: %s", expression, refused)
	}
	return value
}

func (b *browser) evaluate(expression string) (value any, refused json.RawMessage) {
	b.t.Helper()
	var answer struct{ Result struct{ Value any } }
	refused = b.ask("Runtime.evaluate",
		map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &answer)
	return answer.Result.Value, refused
}

// until waits until an expression is true, as the browser draws, which cannot be told while the page is loaded anew.
func (b *browser) until(expression string) {
	b.t.Helper()
	drawn := "new Promise(requestAnimationFrame).then(() => " + expression + ")"
	for end := time.Now().Add(3 * time.Minute); ; {
		if value, refused := b.evaluate(drawn); refused == nil && value == true {
			return
		} else if time.Now().After(end) || b.t.Failed() {
			b.t.Fatalf("not so: %s: %v %s\n%v", expression, value, refused, b.value("document.body.innerText"))
		}
	}
}

// issue 9.8: at 400 pixels, in the light and in the dark, all can be seen and nothing is carried out; lines come, and a
// button does what it says
func TestBrowser(t *testing.T) {
	b := startBrowser(t)
	says := evil
	if *update {
		says = "the database is slow: 12 wait"
	}
	s, told := daemon(t, true, says)
	s.control = true
	server := httptest.NewServer(s.handler())
	defer server.Close()
	defer server.CloseClientConnections() // of who follows
	const width, height = 400, 660
	b.call("Emulation.setDeviceMetricsOverride",
		map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
	picture := image.NewRGBA(image.Rect(0, 0, 2*width, height))
	for i, scheme := range []string{"light", "dark"} {
		b.call("Emulation.setEmulatedMedia", map[string]any{
			"features": []any{map[string]string{"name": "prefers-color-scheme", "value": scheme}}}, nil)
		for j, path := range []string{"/", "/program/web"} {
			b.call("Page.navigate", map[string]any{"url": server.URL + path}, nil)
			b.until(`document.readyState === "complete" && document.styleSheets.length === 1`)
			if path != "/" {
				b.until(`document.querySelectorAll("#lines div").length === 3`)
				if said := b.value(`document.querySelector("#lines .stderr").lastChild.data`); said != plain(says) {
					t.Errorf("a line is %q", said)
				}
			}
			if b.value("innerWidth") != 400.0 ||
				b.value("document.documentElement.scrollWidth <= document.documentElement.clientWidth") != true {
				t.Errorf("%s, %s: %v wide, of %v", scheme, path, b.value("document.documentElement.scrollWidth"),
					b.value("innerWidth"))
			}
			if b.value(`document.querySelectorAll("img").length`) != 0.0 {
				t.Errorf("%s: a program has put an image into it", path)
			}
			contrast := b.value(`(() => { const light = (c) => c.match(/\d+/g).slice(0, 3).reduce((sum, n) => sum + +n, 0) / 765;
				const style = getComputedStyle(document.body); return light(style.backgroundColor) - light(style.color); })()`).(float64)
			if scheme == "light" && contrast < 0.7 || scheme == "dark" && contrast > -0.7 {
				t.Errorf("%s, %s: contrast %v", scheme, path, contrast)
			}
			var shot struct{ Data []byte }
			b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
			drawn, err := png.Decode(bytes.NewReader(shot.Data))
			if err != nil {
				t.Fatal(err)
			}
			if i == j {
				draw.Draw(picture, image.Rect(i*width, 0, (i+1)*width, height), drawn, image.Point{}, draw.Src)
			}
		}
	}
	b.value(`document.querySelector("form[action$=down] button").click()`)
	select {
	case <-told:
	case <-time.After(3 * time.Minute):
		t.Error("the button does nothing")
	}
	b.until(`location.pathname === "/program/web"`)
	b.value(`document.querySelector("dl").remove()`)
	b.until(`document.querySelector("dl") !== null`) // it is fetched anew
	if len(b.wrong) > 0 {
		t.Errorf("%s", b.wrong)
	}
	if *update {
		var out bytes.Buffer
		if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, picture); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("../docs/web.png", out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// issue 9.8: a page that was opened while there was no daemon shows lines once there is one; and nobody follows them
// while nobody looks: a browser has six connections to a site, and with that many pages in the background no other
// would be loaded any more
func TestBrowserInTheBackground(t *testing.T) {
	b := startBrowser(t)
	s, _ := daemon(t, true, "")
	there := s.socket
	s.socket = filepath.Join(t.TempDir(), "x.sock")
	server := httptest.NewServer(s.handler())
	defer server.Close()
	defer server.CloseClientConnections() // of who follows
	b.call("Page.navigate", map[string]any{"url": server.URL + "/program/web"}, nil)
	b.until(`document.querySelector("#state .failed") !== null`)
	if err := os.Symlink(there, s.socket); err != nil {
		t.Fatal(err)
	}
	b.until(`document.querySelectorAll("#lines div").length === 3`)
	see := func(hidden string) {
		b.value(`Object.defineProperty(document, "hidden", {configurable: true, value: ` + hidden + `});
			document.dispatchEvent(new Event("visibilitychange"))`)
	}
	see("true")
	for range cap(s.streams) {
		select {
		case s.streams <- struct{}{}:
		case <-time.After(time.Minute):
			t.Fatal("it follows the lines")
		}
	}
	for range cap(s.streams) {
		<-s.streams
	}
	b.value(`document.querySelector("#lines div").remove()`)
	see("false")
	b.until(`document.querySelectorAll("#lines div").length === 3`)
}
