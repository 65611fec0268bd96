// Package chromium starts a headless Chromium for tests.
package chromium
