/** Numbers as every view writes them: three significant digits, units always. */

const MINUS = '−';

/** 0.0312, 1.20e-5, 412; a dash for no value. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) {
    return '–';
  }
  if (!Number.isFinite(value)) {
    return value > 0 ? 'inf' : `${MINUS}inf`;
  }
  const size = Math.abs(value);
  let text: string;
  if (size === 0) {
    text = '0';
  } else if (size < 1e-3 || size >= 1e5) {
    text = size.toExponential(2).replace('e+', 'e');
  } else if (size >= 999.5) {
    text = String(Math.round(size));
  } else {
    text = size.toPrecision(3);
    if (Number.isInteger(size)) {
      text = String(size);
    }
  }
  return value < 0 ? MINUS + text : text;
}

/** 512 B, 131 KiB, 52.7 MiB. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** 18.1 µs, 2.40 ms, 1.20 s. */
export function duration(microseconds: number): string {
  if (microseconds < 999.5) {
    return `${number(microseconds)} µs`;
  }
  return microseconds < 999.5e3 ? `${number(microseconds / 1e3)} ms` : `${number(microseconds / 1e6)} s`;
}

/** (64, 128); () for a scalar. */
export function shape(sizes: readonly number[]): string {
  return `(${sizes.join(', ')})`;
}

const SHORT: Record<string, string> = {
  float16: 'f16', bfloat16: 'bf16', float32: 'f32', float64: 'f64', complex64: 'c64', complex128: 'c128',
  int8: 'i8', int16: 'i16', int32: 'i32', int64: 'i64', uint8: 'u8', bool: 'bool'
};

export function dtype(name: string): string {
  return SHORT[name] ?? name;
}

export function count(value: number, noun: string): string {
  return `${value} ${noun}${value === 1 ? '' : 's'}`;
}

/** Cut in the middle, so that `encoder.…weight` keeps what tells it apart. */
export function shorten(text: string, length: number): string {
  if (text.length <= length) {
    return text;
  }
  const head = Math.ceil((length - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (length - 1 - head))}`;
}

/** The smallest of 1, 1.5, 2, 3, 4, 5, 6, 8, 10 × 2^k (or 10^k) at or above the value: where a growing axis ends. */
export function ceiling(value: number, base: number): number {
  if (!(value > 0)) {
    return 1;
  }
  const unit = base ** Math.floor(Math.log(value) / Math.log(base));
  const factors = base === 2 ? [1, 1.25, 1.5, 1.75, 2] : [1, 1.5, 2, 3, 4, 5, 6, 8, 10];
  return unit * (factors.find(factor => factor * unit >= value) ?? base);
}
