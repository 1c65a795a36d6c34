import assert from 'node:assert/strict';
import { test } from 'node:test';
import { widgetOf, withoutWidget } from '../src/lab/stills';

const WIDGET = 'application/vnd.jupyter.widget-view+json';
const widget = { version_major: 2, version_minor: 0, model_id: 'abc' };
const still = '<div class="tapescope-still"><b>tape</b></div>';

test('an output with a widget and our still names the widget', () => {
  assert.equal(widgetOf({ [WIDGET]: widget, 'text/html': still }), 'abc');
  assert.equal(widgetOf({ [WIDGET]: widget, 'text/html': ['<div class="tapescope', '-still"></div>'] }), 'abc');
});

test('any other output is left alone', () => {
  for (const data of [
    {}, { [WIDGET]: widget }, { [WIDGET]: widget, 'text/html': '<b>mine</b>' }, { 'text/html': still },
    { [WIDGET]: {}, 'text/html': still }, { [WIDGET]: null, 'text/html': still }, { [WIDGET]: widget, 'text/html': null }
  ]) {
    assert.equal(widgetOf(data), null);
  }
});

test('nothing but the widget goes', () => {
  const data = { [WIDGET]: widget, 'text/html': still, 'image/png': 'iVBO', 'text/plain': 'tape' };
  assert.deepEqual(withoutWidget(data), { 'text/html': still, 'image/png': 'iVBO', 'text/plain': 'tape' });
  assert.ok(WIDGET in data);
});
