// Whether a client of the last release could trip over a schema: `npm test` compares both with what stands in `released/`.
import { buildSchema, findBreakingChanges, findDangerousChanges } from 'graphql';

/** What `after` takes from the clients of `before`, in words; what was deprecated in `before` may go. */
export function broken(before, after) {
  const [old, now] = [buildSchema(before), buildSchema(after)];
  const breaking = findBreakingChanges(old, now).filter((change) => !mayGo(old, change));
  // The least of them that a client sees without having asked for it: another default changes what it means by leaving one out.
  const defaults = findDangerousChanges(old, now).filter(({ type }) => type === 'ARG_DEFAULT_VALUE_CHANGE');
  return [...breaking, ...defaults].map(({ type, description }) => `${type}: ${description}`);
}

/** Whether the change removes what was marked `@deprecated`. */
function mayGo(old, { type, description }) {
  if (type === 'FIELD_REMOVED') {
    const [, name, field] = /^(\w+)\.(\w+) was removed\.$/.exec(description) ?? [];
    return old.getType(name)?.getFields()[field]?.deprecationReason != null;
  }
  if (type === 'VALUE_REMOVED_FROM_ENUM') {
    const [, value, name] = /^(\w+) was removed from enum type (\w+)\.$/.exec(description) ?? [];
    return old.getType(name)?.getValue(value)?.deprecationReason != null;
  }
  if (type === 'ARG_REMOVED') {
    const [, name, field, argument] = /^(\w+)\.(\w+) arg (\w+) was removed\.$/.exec(description) ?? [];
    return old.getType(name)?.getFields()[field]?.args.find((one) => one.name === argument)?.deprecationReason != null;
  }
  return false;
}
