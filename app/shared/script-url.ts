/** Script URLs as the page's security policy requires (Trusted Types): only the page's own files may be run. */

interface Policies {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}

const policy = (window as { trustedTypes?: Policies }).trustedTypes?.createPolicy('memslot-lab', { createScriptURL: ownUrl });

function ownUrl(url: string): string {
  const base = new URL('.', document.baseURI);
  if (!new URL(url, base).href.startsWith(base.href)) throw new Error(`${url} is not one of the page's own files.`);
  return url;
}

/** Relative to the page. */
export function scriptUrl(path: string): string {
  const { href } = new URL(path, document.baseURI);
  return policy?.createScriptURL(href) ?? href;
}
