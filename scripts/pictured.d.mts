export function checkPictures(top?: string): string[];
