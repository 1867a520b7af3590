// Which rows of a long list are drawn. Pure.

export interface Range {
  first: number;
  /** One past the last. */
  end: number;
}

/** Rows to draw for `count` rows of `height` px seen through `view` px at `top`, `spare` more on either side. */
export function visible(count: number, height: number, top: number, view: number, spare: number): Range {
  const end = Math.min(Math.ceil((Math.max(top, 0) + view) / height) + spare, count);
  const first = Math.max(Math.min(Math.floor(Math.max(top, 0) / height), count) - spare, 0);
  return { first: Math.min(first, end), end };
}

/** Whether the end of the list is in sight, give or take a row. */
export function atEnd(count: number, height: number, top: number, view: number): boolean {
  return top + view >= (count - 1) * height;
}
