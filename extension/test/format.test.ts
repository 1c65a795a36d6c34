import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as format from '../src/shared/format';

test('numbers have three significant digits', () => {
  const cases: [number | null, string][] = [
    [0.03124, '0.0312'], [3.14159e-10, '3.14e-10'], [412, '412'], [1234.4, '1234'], [123456, '1.23e5'],
    [0, '0'], [-2.5, '−2.50'], [NaN, '–'], [null, '–'], [Infinity, 'inf'], [-Infinity, '−inf'], [1, '1']
  ];
  cases.forEach(([value, text]) => assert.equal(format.number(value), text));
});

test('bytes have binary units', () => {
  const cases: [number, string][] = [
    [0, '0 B'], [512, '512 B'], [2560, '2.50 KiB'], [131 * 1024, '131 KiB'], [52.7 * 2 ** 20, '52.7 MiB'], [3 * 2 ** 30, '3.00 GiB']
  ];
  cases.forEach(([value, text]) => assert.equal(format.bytes(value), text));
});

test('times, shapes and dtypes are short', () => {
  assert.equal(format.duration(18.1), '18.1 µs');
  assert.equal(format.duration(2400), '2.40 ms');
  assert.equal(format.shape([64, 128]), '(64, 128)');
  assert.equal(format.shape([]), '()');
  assert.equal(format.dtype('bfloat16'), 'bf16');
  assert.equal(format.count(1, 'node'), '1 node');
});

test('long names are cut in the middle', () => {
  assert.equal(format.shorten('encoder.layers.0.weight', 11), 'encod…eight');
  assert.equal(format.shorten('weight', 11), 'weight');
});

test('an axis ends at a round number at or above the value', () => {
  for (const value of [1, 7, 1000, 3e6, 5.1e9]) {
    const end = format.ceiling(value, 2);
    assert.ok(end >= value && end <= 1.34 * value, `${value}: ${end}`);
  }
});
