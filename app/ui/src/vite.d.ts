declare const __FAKE__: boolean;

declare module "*.css";
