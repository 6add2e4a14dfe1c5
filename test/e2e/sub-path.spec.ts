/** The built page from a plain static host, below a path, without any header of ours. */
import { expect, test } from './page';
import { staticHost } from './static-host';

test('the built page works below a path of a plain static host', async ({ lab }) => {
  const host = await staticHost('dist');
  try {
    await lab.open(host.address);
    expect(await lab.shell('mem')).toMatch(/\S/);
    expect(lab.errors).toEqual([]);
  } finally {
    host.close();
  }
});
